// See utf8.h.
#include "src/cli/draw/utf8.h"

#include <algorithm>
#include <utility>

namespace cli {
namespace {
constexpr char32_t kInvalid = 0xFFFD;

constexpr std::pair<char32_t, const char*> kSpelled[] = {
    {0x2212, "-"},  {0x2013, "-"},   {0x2192, "->"}, {0x2026, ".."}, {0xD7, "x"},    {0x2264, "<="}, {0x2265, ">="},
    {0xB1, "+-"},   {0x221E, "inf"}, {0xB2, "^2"},   {0xB3, "^3"},   {0x2070, "^0"}, {0xB9, "^1"},   {0x2074, "^4"},
    {0x2075, "^5"}, {0x2076, "^6"},  {0x2077, "^7"}, {0x2078, "^8"}, {0x2079, "^9"}, {0x207B, "^-"}};
}  // namespace

char32_t next_code(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  bool valid = length > 0 && length <= text.size();
  char32_t code = length <= 1 ? lead : lead & (0xFFu >> (length + 1));
  for (size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xC0u) == 0x80;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  // Longer than necessary, half of a surrogate pair, or above the last code point.
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  valid = valid && code >= kLeast[length] && (code < 0xD800 || code > 0xDFFF) && code <= 0x10FFFF;
  text.remove_prefix(valid ? length : 1);
  return valid ? code : kInvalid;
}

void append_code(std::string& out, char32_t code) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

std::string in_ascii(char32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  const auto* found =
      std::find_if(std::begin(kSpelled), std::end(kSpelled), [&](const auto& s) { return s.first == code; });
  return found == std::end(kSpelled) ? "?" : found->second;
}

}  // namespace cli
