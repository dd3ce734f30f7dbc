// Writes JSON values compactly; see json.h. Doubles are written as the shortest decimals that read back to the same
// bits, always with a point or an exponent, so that they read back as doubles.
#include <charconv>
#include <cmath>

#include "src/io/json.h"
#include "src/io/utf8.h"

namespace libnf {
namespace {

void append_integer(auto v, std::string* out) {
  char text[24];
  out->append(text, std::to_chars(text, text + sizeof text, v).ptr);
}

// Writes fixed notation from 1e-4 to 1e15, like 0.001 or 250.0, and scientific notation outside, like 2.5e+20.
void append_double(double v, std::string* out) {
  if (!std::isfinite(v)) {
    out->append("null");
    return;
  }
  char text[40];
  const double size = std::fabs(v);
  const auto notation =
      size == 0 || (size >= 1e-4 && size < 1e15) ? std::chars_format::fixed : std::chars_format::scientific;
  const std::string_view s(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, v, notation).ptr - text));
  out->append(s);
  if (notation == std::chars_format::fixed && s.find('.') == std::string_view::npos) out->append(".0");
}

void append_json(const Json& j, std::string* out) {
  if (const Json::Object* members = j.object()) {
    out->push_back('{');
    for (const Json::Member& m : *members) {
      if (&m != members->data()) out->push_back(',');
      append_json_string(m.name, out);
      out->push_back(':');
      append_json(m.value, out);
    }
    out->push_back('}');
  } else if (const Json::Array* items = j.array()) {
    out->push_back('[');
    for (const Json& item : *items) {
      if (&item != items->data()) out->push_back(',');
      append_json(item, out);
    }
    out->push_back(']');
  } else if (const std::string* text = j.string()) {
    append_json_string(*text, out);
  } else if (const bool* flag = j.boolean()) {
    out->append(*flag ? "true" : "false");
  } else if (const auto i = j.int64()) {
    append_integer(*i, out);
  } else if (const auto u = j.uint64()) {
    append_integer(*u, out);
  } else if (const auto d = j.number()) {
    append_double(*d, out);
  } else {
    out->append("null");
  }
}

}  // namespace

void append_json_string(std::string_view text, std::string* out) {
  static constexpr std::string_view kMeanings = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t n = utf8_length(text, i);
    if (const size_t name = kMeanings.find(text[i]); name != std::string_view::npos) {
      const char escape[] = {'\\', kNames[name]};
      out->append(escape, sizeof escape);
    } else if (c < 0x20) {
      const char escape[] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      out->append(escape, sizeof escape);
    } else {
      out->append(n ? text.substr(i, n) : "\xEF\xBF\xBD");
    }
    i += n ? n : 1;
  }
  out->push_back('"');
}

std::string Json::dump() const {
  std::string out;
  append_json(*this, &out);
  return out;
}

std::string shown(const Json& value) {
  constexpr size_t kMost = 60;
  std::string s = value.dump();
  if (s.size() <= kMost) return s;
  size_t end = kMost - 3;
  while ((static_cast<unsigned char>(s[end]) & 0xC0) == 0x80) --end;
  return s.substr(0, end) + "...";
}

}  // namespace libnf
