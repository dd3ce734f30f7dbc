// One list of fields per configuration drives parsing, writing, bounds, documentation and random configurations.
//
//   struct Config : libnf::Config {
//     double cap = 3;
//     OneOf<NetKind> net{"mlp"};
//     void fields(Fields& f) override {
//       f.real("cap", "bound on |log scale|", cap, 1e-3, 20);
//       f.one_of("net", "net of the columns that pass", net);
//     }
//   };
//
// The default of a field is its value in a default-constructed Config. src/model/read_fields.h and
// src/model/write_fields.h have the visitors; a new visitor overrides the function of every field type.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace libnf {

struct Config;
class PartConfig;
struct LayerSpec;

class Fields {
 public:
  virtual ~Fields() = default;
  virtual void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) = 0;
  virtual void real(const char* name, const char* doc, double& value, double low, double high) = 0;
  virtual void flag(const char* name, const char* doc, bool& value) = 0;
  // UTF-8 of up to max_bytes.
  virtual void text(const char* name, const char* doc, std::string& value, int64_t max_bytes) = 0;
  // A list of up to max_count integers in [low, high].
  virtual void integers(const char* name, const char* doc, std::vector<int64_t>& value, int64_t low, int64_t high,
                        int64_t max_count) = 0;
  // A list of up to max_count numbers in [low, high].
  virtual void reals(const char* name, const char* doc, std::vector<double>& value, double low, double high,
                     int64_t max_count) = 0;
  // An enum whose enumerators are 0, 1, ... in the order of names.
  template <class E>
  void choice(const char* name, const char* doc, E& value, std::span<const char* const> names) {
    static_assert(std::is_enum_v<E>);
    int v = static_cast<int>(value);
    choose(name, doc, v, names);
    value = static_cast<E>(v);
  }

  // A nested configuration: {field: value, ...}.
  virtual void object(const char* name, const char* doc, Config& value) = 0;
  // A nested configuration that may be absent (nullptr).
  template <class C>
  void optional(const char* name, const char* doc, std::unique_ptr<C>& value) {
    bool present = value != nullptr;
    std::unique_ptr<C> c = present ? std::move(value) : std::make_unique<C>();
    optional_object(name, doc, *c, present);
    value = present ? std::move(c) : nullptr;
  }
  // A part of a registry with its configuration: NAME or {"type": NAME, field: value, ...} (src/part/part_config.h).
  virtual void one_of(const char* name, const char* doc, PartConfig& value) = 0;
  // A list of layers and of chains of layers (src/flow/chain.h).
  virtual void chain(const char* name, const char* doc, std::vector<LayerSpec>& value) = 0;

  // States whether the following fields have an effect, given the choices made before them, until the next call.
  // Setting a field without effect to anything but its default is an error. `given` names the choice for the message:
  //   f.relevant(kind == Kind::adam, "\"optimizer\": \"sgd\"");
  virtual void relevant(bool /*matters*/, const std::string& /*given*/ = {}) {}

 protected:
  virtual void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) = 0;
  virtual void optional_object(const char* name, const char* doc, Config& value, bool& present) = 0;
};

}  // namespace libnf
