// Random configurations of a layer, drawn from its field list: whatever a future layer declares is covered without
// edits here. Sizes are capped so that tests stay quick; all values lie within the bounds of their fields.
#pragma once
#include <cstdint>
#include <random>
#include <string>

#include "src/flow/layer.h"
#include "src/model/spec.h"
#include "src/part/fields.h"

namespace libnf::test {

class RandomFields final : public Fields {
 public:
  // plain_inside: layers of chains have the defaults of their fields.
  RandomFields(uint64_t seed, int64_t event, bool plain_inside = false)
      : random_(seed), event_(event), plain_inside_(plain_inside) {}
  void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) override;
  void real(const char* name, const char* doc, double& value, double low, double high) override;
  void flag(const char* name, const char* doc, bool& value) override;
  void text(const char* name, const char* doc, std::string& value, int64_t max_bytes) override;
  void integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                int64_t max_count) override;
  void reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
             int64_t max_count) override;
  void object(const char* name, const char* doc, Config& value) override;
  void one_of(const char* name, const char* doc, PartConfig& value) override;
  void chain(const char* name, const char* doc, std::vector<LayerSpec>& value) override;
  void relevant(bool matters, const std::string&) override { skips_ = !matters; }

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override;
  void optional_object(const char* name, const char* doc, Config& value, bool& present) override;

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  std::mt19937_64 random_;
  int64_t event_;
  bool plain_inside_;
  int depth_ = 0;       // of chains in chains
  bool skips_ = false;  // fields that follow have no effect
};

// The spec of a float64 model with one layer of this kind. Draws again while the layer rejects the configuration
// (fields that exclude each other); throws std::runtime_error when it rejects a hundred in a row.
std::string random_spec(const LayerKind& kind, uint64_t seed, const Dims& event, int64_t context);
inline std::string random_spec(const LayerKind& kind, uint64_t seed, int64_t columns, int64_t context) {
  return random_spec(kind, seed, Dims{columns}, context);
}
// Whether the layer, with the defaults of its fields, takes this event.
bool takes_event(const LayerKind& kind, const Dims& event);
// Whether the spec is valid with the layer inverted.
bool takes_inversion(const std::string& spec);

// The same model in another dtype, or inverted.
ModelSpec variant(const std::string& spec, DType dtype, bool invert);

}  // namespace libnf::test
