// Bounded, printable text for error messages; see quote.h.
#include "src/io/quote.h"

namespace nf {
namespace {

// Length of the UTF-8 character at s[i], or 0 if the bytes there are not one.
size_t utf8_length(std::string_view s, size_t i) {
  const auto lead = static_cast<unsigned char>(s[i]);
  const size_t n = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (n == 0 || lead > 0xF4 || i + n > s.size()) return 0;
  for (size_t k = 1; k < n; ++k)
    if ((static_cast<unsigned char>(s[i + k]) & 0xC0) != 0x80) return 0;
  return n;
}

std::string printable(std::string_view text, size_t max) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    size_t n = utf8_length(text, i);
    std::string piece;
    if (n == 0 || c < 0x20 || c == 0x7F) {
      n = 1;
      piece = {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
    } else {
      piece = text.substr(i, n);
    }
    if (out.size() + piece.size() > max) return out + "...";
    out += piece;
    i += n;
  }
  return out;
}

}  // namespace

std::string quote_text(std::string_view text, size_t max) { return "'" + printable(text, max) + "'"; }

std::string quote_path(std::string_view path, size_t max) {
  if (path.size() <= max) return "'" + printable(path, max) + "'";
  size_t from = path.size() - max;
  while (from < path.size() && (static_cast<unsigned char>(path[from]) & 0xC0) == 0x80) ++from;
  return "'..." + printable(path.substr(from), max) + "'";
}

}  // namespace nf
