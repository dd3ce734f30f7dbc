#include "src/io/hex_float.h"

#include <charconv>

namespace libnf {

std::string hex_floats(std::span<const double> numbers) {
  std::string text;
  for (const double v : numbers) {
    char digits[40];
    const auto end = std::to_chars(digits, digits + sizeof digits, v, std::chars_format::hex).ptr;
    if (!text.empty()) text += ' ';
    text.append(digits, end);
  }
  return text;
}

bool read_hex_floats(std::string_view text, std::span<double> numbers) {
  const char *at = text.data(), *end = at + text.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ' ')) return false;
    const auto [stop, error] = std::from_chars(at, end, numbers[i], std::chars_format::hex);
    if (error != std::errc()) return false;
    at = stop;
  }
  return at == end;
}

}  // namespace libnf
