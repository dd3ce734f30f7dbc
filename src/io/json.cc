// The value type and the strict reader that builds it; see json.h. The grammar is in json_reader.cc.
#include "src/io/json.h"

#include <algorithm>

#include "src/io/json_reader.h"

namespace libnf {
namespace {

// Builds the tree from the reader's events; checks depth and unique keys, which the grammar leaves open.
class Builder final : public JsonHandler {
 public:
  Builder(std::string_view text, const char* what, Code code, int max_depth)
      : text_(text), what_(what), code_(code), max_depth_(max_depth) {}

  Json root;

  void value(Json&& v) override { place(std::move(v)); }
  void begin_object() override { open(Json::Object()); }
  void begin_array() override { open(Json::Array()); }
  void key(std::string&& name) override { names_.back() = std::move(name); }
  void end_array() override { close(); }
  void end_object() override {
    // Check for duplicates once, sorted: a search per name would take quadratic time.
    std::vector<std::string_view> names;
    for (const Json::Member& m : *stack_.back()->object()) names.emplace_back(m.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
      fail(code_, "%s: the key \"%s\" appears twice", path().c_str(), std::string(*twice).substr(0, 40).c_str());
    close();
  }
  void syntax_error(size_t offset, const char* why) override {
    const std::string_view before = text_.substr(0, offset);
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    const auto column = std::count_if(before.begin() + static_cast<ptrdiff_t>(line_start), before.end(),
                                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    fail(code_, "%s: not valid JSON at line %zu, column %zu: %s", what_,
         static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1, static_cast<size_t>(column) + 1, why);
  }

 private:
  Json* place(Json&& v) {
    if (stack_.empty()) return &(root = std::move(v));
    Json& parent = *stack_.back();
    return parent.array() ? &parent.append(std::move(v)) : &parent.append(std::move(names_.back()), std::move(v));
  }
  void open(Json&& v) {
    if (static_cast<int>(stack_.size()) >= max_depth_)
      fail(code_, "%s: nested more than %d levels deep", path().c_str(), max_depth_);
    stack_.push_back(place(std::move(v)));
    names_.emplace_back();
  }
  void close() {
    stack_.pop_back();
    names_.pop_back();
  }
  // JSON path of the innermost open container.
  std::string path() const {
    std::string p = what_;
    for (size_t i = 0; i + 1 < stack_.size(); ++i) {
      if (const Json::Array* a = stack_[i]->array())
        p += "[" + std::to_string(a->size() - 1) + "]";
      else
        p += "." + stack_[i]->object()->back().name.substr(0, 40);
    }
    return p;
  }

  std::string_view text_;
  const char* what_;
  Code code_;
  int max_depth_;
  std::vector<Json*> stack_;        // open containers; pointers stay valid because only the innermost one grows
  std::vector<std::string> names_;  // per open container, the key of its next value
};

}  // namespace

Json::Json() noexcept = default;
// Avoids variant's own copy: if that runs out of memory, libstdc++ 12 destroys an alternative that was never
// constructed.
Json::Json(const Json& other) {
  std::visit([this](const auto& v) { value_ = Value(std::decay_t<decltype(v)>(v)); }, other.value_);
}
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json& other) { return *this = Json(other); }
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;
Json::Json(Value v) noexcept : value_(std::move(v)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(Array items) : value_(std::move(items)) {}
Json::Json(Object members) : value_(std::move(members)) {}
Json::Json(std::initializer_list<Member> members) : value_(Object(members)) {}

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

std::optional<int64_t> Json::int64() const {
  const auto* v = std::get_if<int64_t>(&value_);
  return v ? std::optional(*v) : std::nullopt;
}

std::optional<uint64_t> Json::uint64() const {
  if (const auto* big = std::get_if<uint64_t>(&value_)) return *big;
  const auto* v = std::get_if<int64_t>(&value_);
  return v && *v >= 0 ? std::optional(static_cast<uint64_t>(*v)) : std::nullopt;
}

std::optional<double> Json::number() const {
  if (const auto* v = std::get_if<double>(&value_)) return *v;
  if (const auto* v = std::get_if<int64_t>(&value_)) return static_cast<double>(*v);
  if (const auto* v = std::get_if<uint64_t>(&value_)) return static_cast<double>(*v);
  return std::nullopt;
}

const Json* Json::find(std::string_view name) const {
  if (const Object* members = object())
    for (const Member& m : *members)
      if (m.name == name) return &m.value;
  return nullptr;
}

Json& Json::operator[](std::string_view name) {
  for (Member& m : std::get<Object>(value_))
    if (m.name == name) return m.value;
  return append(std::string(name), Json());
}

Json& Json::append(Json item) { return std::get<Array>(value_).emplace_back(std::move(item)); }

Json& Json::append(std::string name, Json value) {
  Object& members = std::get<Object>(value_);
  members.push_back({std::move(name), std::move(value)});
  return members.back().value;
}

Json parse_json(std::string_view text, const char* what, Code code, size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes)
    fail(code, "%s: %zu bytes of JSON exceed the limit of %zu", what, text.size(), max_bytes);
  Builder builder(text, what, code, max_depth);
  read_json(text, builder);
  return std::move(builder.root);
}

}  // namespace libnf
