// Parses the safetensors JSON header with a state machine driven by the events of json_reader.h. It builds no tree and
// does not recurse, so depth and memory are bounded by the header. Duplicate keys, unknown keys and wrong types are
// Error{format} naming the tensor; syntax errors name the byte of the file.
#include "src/io/safetensors_header.h"

#include <set>

#include "runtime/core/status.h"
#include "src/io/json_reader.h"
#include "src/io/quote.h"

namespace libnf {
namespace {

enum class Where { root, top, tensor, metadata, shape, offsets, end };
enum Attribute : unsigned { kNone = 0, kDtype = 1, kShape = 2, kOffsets = 4, kAll = 7 };

constexpr size_t kLengthBytes = 8;  // before the JSON

class Handler final : public JsonHandler {
 public:
  explicit Handler(size_t max_rank) : max_rank_(max_rank) {}
  SafeTensorsHeader take() { return std::move(header_); }

  void value(Json&& v) override {
    if (const auto n = v.uint64())
      number(*n);
    else if (const std::string* s = v.string())
      string(*s);
    else
      unexpected(v.is_null()   ? "null"
                 : v.boolean() ? "true or false"
                 : v.int64()   ? "a negative number"
                               : "a number that is not a non-negative 64-bit integer");
  }

  void begin_object() override {
    if (where_ == Where::root) {
      where_ = Where::top;
    } else if (where_ == Where::top) {
      if (key_ == "__metadata__") {
        where_ = Where::metadata;
      } else {
        header_.tensors.emplace_back().name = key_;
        where_ = Where::tensor;
        seen_ = attribute_ = kNone;
        offsets_ = 0;
      }
    } else {
      unexpected("an object");
    }
  }

  void key(std::string&& k) override {
    if (where_ == Where::tensor) {
      attribute_ = k == "dtype" ? kDtype : k == "shape" ? kShape : k == "data_offsets" ? kOffsets : kNone;
      if (attribute_ == kNone) bad("has the unknown key %s", text(k));
      if (seen_ & attribute_) bad("has the key %s twice", text(k));
      seen_ |= attribute_;
      return;
    }
    const bool fresh = where_ == Where::metadata ? !header_.metadata.contains(k) : names_.insert(k).second;
    if (!fresh) fail(Code::format, "safetensors header: the key %s appears twice", text(k));
    key_ = std::move(k);
  }

  void end_object() override {
    if (where_ == Where::tensor) {
      if (seen_ != kAll) bad("has no %s", !(seen_ & kDtype) ? "dtype" : !(seen_ & kShape) ? "shape" : "data_offsets");
      where_ = Where::top;
    } else {
      where_ = where_ == Where::metadata ? Where::top : Where::end;
    }
  }

  void begin_array() override {
    if (where_ != Where::tensor || !(attribute_ == kShape || attribute_ == kOffsets)) unexpected("an array");
    where_ = attribute_ == kShape ? Where::shape : Where::offsets;
  }

  void end_array() override {
    if (where_ == Where::offsets && offsets_ != 2) bad("has fewer than two data_offsets");
    where_ = Where::tensor;
    attribute_ = kNone;
  }

  void syntax_error(size_t offset, const char* why) override {
    fail(Code::format, "safetensors header: not valid JSON: %s at byte %zu of the file", why, kLengthBytes + offset);
  }

 private:
  void number(uint64_t v) {
    if (where_ == Where::shape) {
      auto& shape = header_.tensors.back().shape;
      if (shape.size() == max_rank_) bad("has more than %zu dimensions", max_rank_);
      if (v > INT64_MAX) bad("has a dimension of 2^63 or more");
      shape.push_back(static_cast<int64_t>(v));
    } else if (where_ == Where::offsets) {
      HeaderTensor& t = header_.tensors.back();
      if (offsets_ == 2) bad("has more than two data_offsets");
      (offsets_++ == 0 ? t.begin : t.end) = v;
    } else {
      unexpected("a number");
    }
  }

  void string(const std::string& s) {
    if (where_ == Where::metadata) {
      header_.metadata[key_] = s;
    } else if (where_ == Where::tensor && attribute_ == kDtype) {
      header_.tensors.back().type = type_of(s);
      attribute_ = kNone;
    } else {
      unexpected("a string");
    }
  }

  // Returns a quoted C string for fail(), valid until the next call.
  const char* text(std::string_view s) { return (text_ = quote_text(s)).c_str(); }
  const char* shown_key() { return text(key_); }

  template <class... Args>
  [[noreturn]] void bad(const char* format, Args... args) {
    char what[160];
    std::snprintf(what, sizeof what, format, args...);
    const std::string name = quote_text(header_.tensors.back().name);
    fail(Code::format, "safetensors tensor %s %s", name.c_str(), what);
  }
  [[noreturn]] void bad(const char* what) { bad("%s", what); }

  [[noreturn]] void unexpected(const char* what) {
    switch (where_) {
      case Where::top:
        fail(Code::format, "safetensors header: the value of %s is %s, not an object", shown_key(), what);
      case Where::tensor:
        bad("has %s as %s", what, attribute_ == kDtype ? "dtype" : attribute_ == kShape ? "shape" : "data_offsets");
      case Where::metadata:
        fail(Code::format, "safetensors metadata %s is %s, not a string", shown_key(), what);
      case Where::shape:
      case Where::offsets:
        bad("has %s in its %s", what, where_ == Where::shape ? "shape" : "data_offsets");
      default:
        fail(Code::format, "safetensors header is %s, not an object", what);
    }
  }

  TensorType type_of(const std::string& dtype) {
    for (const TensorType t : {TensorType::f32, TensorType::f64, TensorType::i64, TensorType::u8, TensorType::u64})
      if (dtype == name_of(t)) return t;
    bad("has the dtype %s; supported are F32, F64, I64, U8 and U64", text(dtype));
  }

  size_t max_rank_;
  SafeTensorsHeader header_;
  std::set<std::string, std::less<>> names_;
  Where where_ = Where::root;
  std::string key_;
  std::string text_;
  unsigned attribute_ = kNone;  // of the value that comes next
  unsigned seen_ = kNone;
  int offsets_ = 0;
};

}  // namespace

SafeTensorsHeader parse_safetensors_header(std::string_view json, size_t max_rank) {
  if (json.empty() || json[0] != '{') fail(Code::format, "safetensors header does not start with '{'");
  Handler handler(max_rank);
  read_json(json, handler);
  return handler.take();
}

}  // namespace libnf
