// One list of fields per configuration drives parsing, writing, bounds, documentation and random configurations.
//
//   struct Config : nf::Config {
//     double cap = 3;
//     void fields(Fields& f) override { f.real("cap", "bound on |log scale|", cap, 1e-3, 20); }
//   };
//
// The default of a field is its value in a default-constructed Config. Visitors live in src/model/spec_fields.cc.
#pragma once
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace nf {

class Fields {
 public:
  virtual ~Fields() = default;
  virtual void integer(const char* name, const char* doc, int64_t& value, int64_t low, int64_t high) = 0;
  virtual void real(const char* name, const char* doc, double& value, double low, double high) = 0;
  virtual void flag(const char* name, const char* doc, bool& value) = 0;
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

 protected:
  virtual void choose(const char* name, const char* doc, int& value, std::span<const char* const> names) = 0;
};

}  // namespace nf
