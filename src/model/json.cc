#include "src/model/json.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace nf {
namespace {

// Builds the document while checking what the DOM parser would let pass.
class StrictReader final : public nlohmann::json_sax<Json> {
 public:
  StrictReader(const char* what, Code code, int max_depth) : what_(what), code_(code), max_depth_(max_depth) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(number_integer_t v) override { return put(v); }
  bool number_unsigned(number_unsigned_t v) override { return put(v); }
  bool number_float(number_float_t v, const string_t&) override { return put(v); }
  bool string(string_t& v) override { return put(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& k) override {
    if (stack_.back()->contains(k)) fail(code_, "%s%s: duplicate key \"%.40s\"", path().c_str(), "", k.c_str());
    keys_.back() = std::move(k);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    // Library messages read "[json.exception.parse_error.101] parse error at line 1, column 2: ...".
    const std::string text = e.what();
    const size_t at = text.find("] ");
    fail(code_, "%s: not valid JSON (byte %zu): %.150s", what_, position,
         at == std::string::npos ? text.c_str() : text.c_str() + at + 2);
  }

  Json root;

 private:
  Json* place(Json&& v) {
    if (stack_.empty()) {
      root = std::move(v);
      return &root;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    return &(parent[keys_.back()] = std::move(v));
  }
  bool put(Json v) {
    place(std::move(v));
    return true;
  }
  bool open(Json v) {
    if (static_cast<int>(stack_.size()) >= max_depth_)
      fail(code_, "%s: nested deeper than %d levels", path().c_str(), max_depth_);
    stack_.push_back(place(std::move(v)));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }
  std::string path() const {
    std::string p = what_;
    for (size_t i = 0; i < stack_.size(); ++i) {
      if (stack_[i]->is_array())
        p += "[" + std::to_string(stack_[i]->size() - (i + 1 < stack_.size() ? 1 : 0)) + "]";
      else if (i + 1 < stack_.size())
        p += "." + keys_[i].substr(0, 40);
    }
    return p;
  }

  const char* what_;
  Code code_;
  int max_depth_;
  std::vector<Json*> stack_;
  std::vector<std::string> keys_;
};

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, above + 1, diagonal + (a[i] != b[j])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Json parse_json(std::string_view text, const char* what, Code code, size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes) fail(code, "%s: %zu bytes of JSON, the limit is %zu", what, text.size(), max_bytes);
  // The parser would take a NUL for the end.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    fail(code, "%s: not valid JSON: a NUL character at byte %zu", what, nul);
  StrictReader reader(what, code, max_depth);
  Json::sax_parse(text.begin(), text.end(), &reader);
  return std::move(reader.root);
}

bool is_utf8(const char* text) {
  try {
    Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

std::string shown(const Json& value) {
  std::string s = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (s.size() > 60) s = s.substr(0, 57) + "...";
  return s;
}

std::string nearest(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  if (word.size() > 64) return best;
  for (const std::string& name : names) {
    const size_t d = edit_distance(word, name);
    if (d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

}  // namespace nf
