// One field list per configuration: the same rows give names, documentation, bounds and defaults, and read and write
// the values. A configuration is a plain struct whose member `kind` (if it has one) decides which of its fields matter.
// Numbers, integers, flags and choices all travel as double: exact up to 2^53, the bound of every integer field.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "runtime/core/status.h"

namespace nf {

enum class FieldType : uint8_t { number, integer, flag, choice };

template <class Config>
struct Field {
  const char* name;
  const char* doc;
  FieldType type;
  double min, max, fallback;  // inclusive bounds; a choice is an index into choices
  std::span<const char* const> choices;
  uint32_t kinds;  // bit k: matters when kind == k
  double (*get)(const Config&);
  void (*set)(Config&, double);
};

inline constexpr uint32_t kEveryKind = ~0u;
inline constexpr double kMaxInteger = 9007199254740992.0;  // 2^53

template <class Kind>
constexpr uint32_t kinds(std::initializer_list<Kind> list) {
  uint32_t bits = 0;
  for (Kind k : list) bits |= 1u << static_cast<uint32_t>(k);
  return bits;
}

template <class M>
struct MemberOf;
template <class C, class V>
struct MemberOf<V C::*> {
  using Config = C;
  using Value = V;
};

// field<&Config::lr>("lr", "learning rate", 0, 10, 1e-3): the type of the member is the type of the field.
template <auto M, class C = typename MemberOf<decltype(M)>::Config>
constexpr Field<C> field(const char* name, const char* doc, double min, double max, double fallback,
                         uint32_t used_by = kEveryKind, std::span<const char* const> choices = {}) {
  using V = typename MemberOf<decltype(M)>::Value;
  const FieldType type = std::is_same_v<V, bool> ? FieldType::flag
                         : std::is_enum_v<V>     ? FieldType::choice
                         : std::is_integral_v<V> ? FieldType::integer
                                                 : FieldType::number;
  return {name,
          doc,
          type,
          min,
          max,
          fallback,
          choices,
          used_by,
          [](const C& c) { return static_cast<double>(c.*M); },
          [](C& c, double v) { c.*M = static_cast<V>(v); }};
}

// Every field at its default.
template <class C>
C default_config(std::span<const Field<C>> fields) {
  C c{};
  for (const Field<C>& f : fields) f.set(c, f.fallback);
  return c;
}

template <class C>
const Field<C>* find_field(std::span<const Field<C>> fields, std::string_view name) {
  for (const Field<C>& f : fields)
    if (name == f.name) return &f;
  return nullptr;
}

// Sets a value inside its bounds, otherwise fails naming field, value and bounds.
template <class C>
void set_field(const Field<C>& f, C& config, double value) {
  if (!(value >= f.min && value <= f.max))  // also refuses NaN
    fail(Code::spec, "%s = %.9g is outside [%.9g, %.9g]: %s", f.name, value, f.min, f.max, f.doc);
  if (f.type != FieldType::number && value != std::floor(value))
    fail(Code::spec, "%s = %.9g must be a whole number: %s", f.name, value, f.doc);
  f.set(config, value);
}

// Sets a choice by name, otherwise fails listing the choices.
template <class C>
void set_field(const Field<C>& f, C& config, std::string_view choice) {
  if (f.type != FieldType::choice) fail(Code::spec, "%s is a number, not a name: %s", f.name, f.doc);
  std::string list;
  for (size_t i = 0; i < f.choices.size(); ++i) {
    if (choice == f.choices[i]) return f.set(config, static_cast<double>(i));
    list += i ? ", " : "";
    list += f.choices[i];
  }
  fail(Code::spec, "%s = '%.*s' is none of: %s", f.name, static_cast<int>(std::min<size_t>(choice.size(), 40)),
       choice.data(), list.c_str());
}

// Refuses values out of bounds, and settings that the chosen kind would silently ignore.
template <class C>
void check_fields(std::span<const Field<C>> fields, const C& config) {
  uint32_t kind_bit = kEveryKind;
  if constexpr (requires { config.kind; }) kind_bit = 1u << static_cast<uint32_t>(config.kind);
  for (const Field<C>& f : fields) {
    const double v = f.get(config);
    C scratch = config;
    set_field(f, scratch, v);
    if (!(f.kinds & kind_bit) && v != f.fallback)
      fail(Code::spec, "%s = %.9g has no meaning with %s '%s': leave it at %.9g", f.name, v, fields[0].name,
           fields[0].choices[static_cast<size_t>(fields[0].get(config))], f.fallback);
  }
}

}  // namespace nf
