// Quotes text for error messages; see quote.h.
#include "src/io/quote.h"

#include "src/io/utf8.h"

namespace libnf {
namespace {

// Appends at most `max` bytes and "..." to `out`. (Appends because g++ 12 warns falsely about "x" + string.)
void append_printable(std::string_view text, size_t max, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  const size_t limit = out->size() + max;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t n = utf8_length(text, i);
    const char escape[] = {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
    const bool plain = n > 0 && c >= 0x20 && c != 0x7F;
    const std::string_view piece = plain ? text.substr(i, n) : std::string_view(escape, sizeof escape);
    if (out->size() + piece.size() > limit) {
      out->append("...");
      return;
    }
    out->append(piece);
    i += plain ? n : 1;
  }
}

}  // namespace

std::string quote_text(std::string_view text, size_t max) {
  std::string out(1, '\'');
  append_printable(text, max, &out);
  out += '\'';
  return out;
}

std::string quote_path(std::string_view path, size_t max) {
  if (path.size() <= max) return quote_text(path, max);
  size_t from = path.size() - max;
  while (from < path.size() && (static_cast<unsigned char>(path[from]) & 0xC0) == 0x80) ++from;
  std::string out("'...");
  append_printable(path.substr(from), max, &out);
  out += '\'';
  return out;
}

}  // namespace libnf
