// Locale-independent number parsing; see number.h.
#include "src/io/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace libnf {
namespace {

// Distinguishes underflow from overflow, which from_chars reports alike: a number out of T's range with |x| < 1
// underflows. Decided from the decimal exponent of the first nonzero digit. `s` is a number that from_chars consumed
// entirely.
bool below_one(std::string_view s) {
  int64_t exponent = 0;
  const size_t e = s.find_first_of("eE");
  if (e != std::string_view::npos) {
    const char* from = s.data() + e + 1 + (s[e + 1] == '+');
    // An exponent beyond 64 bits outweighs any number of digits that fit in memory.
    if (std::from_chars(from, s.data() + s.size(), exponent).ec != std::errc()) return s[e + 1] == '-';
    s = s.substr(0, e);
  }
  if (s[0] == '-') s.remove_prefix(1);
  const size_t point = std::min(s.find('.'), s.size());
  const size_t first = s.find_first_not_of("0.");
  if (first == std::string_view::npos) return true;
  const int64_t position =
      first < point ? static_cast<int64_t>(point - first) - 1 : -static_cast<int64_t>(first - point);
  int64_t power;
  return __builtin_add_overflow(exponent, position, &power) ? exponent < 0 : power < 0;
}

}  // namespace

std::string shown_number(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::floor(value) == value && std::abs(value) <= kExact) return std::to_string(static_cast<int64_t>(value));
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string hex_number(double value) {
  char digits[32];
  const auto [end, ec] = std::to_chars(digits, digits + sizeof digits, std::abs(value), std::chars_format::hex);
  return std::string(std::signbit(value) ? "-" : "") + (std::isfinite(value) ? "0x" : "") + std::string(digits, end);
}

bool parse_hex_number(std::string_view text, double* value) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.starts_with("0x")) text.remove_prefix(2);
  if (text.empty() || text[0] == '-') return false;
  std::string digits(text);
  std::replace(digits.begin(), digits.end(), ',', '.');
  const char* last = digits.data() + digits.size();
  const auto [end, ec] = std::from_chars(digits.data(), last, *value, std::chars_format::hex);
  if (negative) *value = -*value;
  return ec == std::errc() && end == last;
}

std::string_view trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

template <class T>
NumberKind parse_number(std::string_view text, T* value, char decimal) {
  std::string_view s = trimmed(text);
  if (s.empty()) return NumberKind::empty;
  std::string pointed;
  if (decimal != '.') {
    if (s.find('.') != std::string_view::npos) return NumberKind::not_a_number;
    if (const size_t comma = s.find(decimal); comma != std::string_view::npos) {
      pointed = s;
      pointed[comma] = '.';
      s = pointed;
    }
  }
  if (s.size() > 1 && s[0] == '+' && s[1] != '-') s.remove_prefix(1);
  T v = 0;
  const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (ec == std::errc::invalid_argument || end != s.data() + s.size()) return NumberKind::not_a_number;
  if (ec == std::errc::result_out_of_range) {
    if (!below_one(s)) return NumberKind::out_of_range;
    v = s[0] == '-' ? -T{0} : T{0};
  }
  *value = v;
  return std::isfinite(v) ? NumberKind::finite : NumberKind::infinite_or_nan;
}

template NumberKind parse_number(std::string_view, float*, char);
template NumberKind parse_number(std::string_view, double*, char);

}  // namespace libnf
