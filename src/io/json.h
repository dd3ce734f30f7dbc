// JSON (RFC 8259) values, the format of specs, option lists and the state in checkpoints. Integers are exact from -2^63
// to 2^64 - 1; doubles survive a round trip bit for bit.
//
// Written here rather than taken from a library because files come from anywhere and the host must survive them: the
// reader is strict (unique keys, bounded depth and size, valid UTF-8, line and column in errors) and does not recurse,
// running out of memory at any allocation is an exception and nothing worse (destroying a value never allocates), and
// the same grammar feeds the safetensors reader without building a tree.
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

namespace libnf {

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

  // Each returns null or nullopt if the value has another type.
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }
  const Object* object() const { return std::get_if<Object>(&value_); }
  std::optional<int64_t> int64() const;    // an integer in range; 1.0 is not one
  std::optional<uint64_t> uint64() const;  // likewise
  std::optional<double> number() const;    // any number, rounded to double

  const Json* find(std::string_view name) const;  // nullptr if not an object or without that member
  Json& operator[](std::string_view name);        // member of an object; a new member is null
  Json& append(Json item);                        // appends to an array; returns the item
  Json& append(std::string name, Json value);     // appends to an object without that member; returns the value

  // Writes compact JSON. Invalid UTF-8 becomes U+FFFD (see is_utf8), non-finite numbers become null.
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

// Parses one value strictly: unique names, containers nested at most max_depth deep. Errors are Error{code} with line
// and column, or with the JSON path; `what` names the document in messages ("spec").
Json parse_json(std::string_view text, const char* what, Code code, size_t max_bytes, int max_depth);

// Appends `text` to `out` in quotes, with escapes. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string_view text, std::string* out);

// Returns the value as JSON, shortened for messages.
std::string shown(const Json& value);

}  // namespace libnf
