// Configurations of parts from a fuzzer's bytes: a visitor of their field lists, so that every field of every part, also of
// those to come, is reached. Sizes are small; all values lie within the bounds of their fields.
#pragma once
#include <string>
#include <string_view>

#include "fuzz/bytes.h"
#include "src/flow/chain.h"
#include "src/part/fields.h"
#include "src/part/part_config.h"

namespace fuzz {

class ByteFields final : public libnf::Fields {
 public:
  ByteFields(Bytes& bytes, int64_t event) : bytes_(bytes), event_(event) {}
  void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) override;
  void real(const char* name, const char* doc, double& value, double low, double high) override;
  void flag(const char* name, const char* doc, bool& value) override;
  void text(const char* name, const char* doc, std::string& value, int64_t max_bytes) override;
  void integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                int64_t max_count) override;
  void reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
             int64_t max_count) override;
  void object(const char* name, const char* doc, libnf::Config& value) override;
  void one_of(const char* name, const char* doc, libnf::PartConfig& value) override;
  void chain(const char* name, const char* doc, std::vector<libnf::LayerSpec>& value) override;
  void relevant(bool matters, const std::string&) override { skips_ = !matters; }

  // A layer of any kind, or of those whose name has `word` in it.
  libnf::LayerSpec layer(std::string_view word = {});

 protected:
  void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) override;
  void optional_object(const char* name, const char* doc, libnf::Config& value, bool& present) override;

 private:
  bool keeps() { return skips_ || bytes_.byte() < 128; }  // half of the fields keep their default
  bool keeps(int64_t largest);                            // large sizes never do
  Bytes& bytes_;
  int64_t event_;
  int depth_ = 0;
  bool skips_ = false;
};

}  // namespace fuzz
