// JSON (RFC 8259) as values: what specs, option lists and the state in checkpoints are read from and written to.
// Integers are exact from -2^63 to 2^64 - 1, doubles survive writing and reading bit for bit. Destroying a value never
// allocates, so that running out of memory is an exception and nothing worse.
#pragma once
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/core/status.h"

namespace nf {

class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;  // in the order of the text; names are unique

  Json() noexcept;  // null
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();

  Json(std::string text);
  Json(const char* text) : Json(std::string(text)) {}
  Json(Array items);
  Json(Object members);
  Json(std::initializer_list<Member> members);
  template <std::same_as<bool> B>
  Json(B v) : Json(Value(v)) {}
  template <std::floating_point F>
  Json(F v) : Json(Value(static_cast<double>(v))) {}
  template <std::integral I>
  requires(!std::same_as<I, bool>) Json(I v)
      : Json(std::in_range<int64_t>(v) ? Value(static_cast<int64_t>(v)) : Value(static_cast<uint64_t>(v))) {}
  template <class T>
  Json(const std::vector<T>& items) : Json(Array(items.begin(), items.end())) {}

  // Each is empty when the value is of another type.
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  std::optional<int64_t> int64() const;    // an integer in range: 1.0 is none
  std::optional<uint64_t> uint64() const;  // the same
  std::optional<double> number() const;    // any number, rounded to double

  const Json* find(std::string_view name) const;  // nullptr: not an object, or without such a member
  Json& operator[](std::string_view name);        // of an object; a new member is null
  Json& append(Json item);                        // to an array; returns it
  Json& append(std::string name, Json value);     // to an object that has no such member; returns the value

  // Compact. What is not UTF-8 becomes U+FFFD (see is_utf8), what is not finite becomes null.
  std::string dump() const;

  bool operator==(const Json& other) const;

 private:
  using Value = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object>;
  explicit Json(Value v) noexcept;
  Value value_;  // uint64_t only above INT64_MAX
};

struct Json::Member {
  std::string name;
  Json value;
  bool operator==(const Member&) const = default;
};

// Strict: one value, unique names, at most max_depth containers in each other. Errors are Error{code} with line and
// column, or the JSON path; `what` names the document in messages ("spec").
Json parse_json(std::string_view text, const char* what, Code code, size_t max_bytes, int max_depth);

// "text" in quotes with escapes, appended to `out`. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string_view text, std::string* out);

// For messages: the value as JSON, cut to a readable length.
std::string shown(const Json& value);

}  // namespace nf
