// See ticks.h.
#include "src/cli/draw/ticks.h"

#include <algorithm>
#include <cmath>

#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr double kShared = 1e4;  // ticks in a value from which labels leave out the digits that they share
constexpr double kLarge = 1e5, kSmall = 1e-3;  // beyond these, labels leave out a power of ten

// Replaces "-" before a number by a minus sign, which is as wide as a plus.
std::string with_minus(std::string s) {
  if (s.size() > 1 && s[0] == '-') s.replace(0, 1, "\u2212");
  return s;
}

int decimals_of(double step) { return std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))); }

double count_in(const Range& range, double step) {
  return std::floor(range.high / step + 1e-9) - std::ceil(range.low / step - 1e-9) + 1;
}

std::string superscript(int n) {
  constexpr const char* kDigit[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074",
                                    "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
  std::string out = n < 0 ? "\u207b" : "";
  for (const char c : std::to_string(std::abs(n))) out += kDigit[c - '0'];
  return out;
}

std::string power(int exponent) { return "\u00d710" + superscript(exponent); }

// A round number near the values, for labels to count from: the digits that they share.
double offset_of(const Range& range, double step) {
  double unit = std::pow(10, std::ceil(std::log10(range.extent())));
  const double middle = (range.low + range.high) / 2;
  while (unit < step) unit *= 10;
  return std::floor(middle / unit) * unit;
}

std::string plain_offset(double v) {
  const std::string sign = v < 0 ? "\u2212" : "+";
  const double size = std::abs(v);
  return sign + (size >= 1 && size < 1e15 ? grouped(std::llround(size)) : text("%.6g", size));
}
}  // namespace

Ticks ticks(const Range& range, int most) {
  const double extent = range.extent();
  if (!(extent > 0) || !std::isfinite(extent) || most < 1) return {};
  const double power_of_ten = std::pow(10, std::floor(std::log10(extent / most)));
  double step = power_of_ten;
  for (double factor : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0}) {
    step = factor * power_of_ten;
    // Count them, because n steps hold n + 1 ticks.
    if (count_in(range, step) <= most && step >= range.grain * (1 - 1e-9)) break;
  }
  step = std::max(step, range.grain);
  const double first = std::ceil(range.low / step - 1e-9), last = std::floor(range.high / step + 1e-9);
  // Doubles do not tell such ticks apart.
  if (!(std::max(std::abs(first), std::abs(last)) < 1e14)) return {};
  const double largest = std::max(std::abs(first), std::abs(last)) * step;

  Ticks out;
  double offset = 0;
  int exponent = 0;
  if (largest / step >= kShared) {
    offset = offset_of(range, step);
    out.factor = plain_offset(offset);
  }
  const double shown = std::max(std::abs(first * step - offset), std::abs(last * step - offset));
  if (shown > 0 && (shown >= kLarge || shown < kSmall)) {
    exponent = 3 * static_cast<int>(std::floor(std::log10(shown) / 3 + 1e-9));
    out.factor = power(exponent) + (out.factor.empty() ? "" : " " + out.factor);
  }
  const double scale = std::pow(10, exponent);
  const int decimals = decimals_of(step / scale);
  for (double k = first; k <= last; ++k) {
    double label = (k * step - offset) / scale;
    if (std::abs(label) < 1e-9 * step / scale) label = 0;  // no "-0"
    out.marks.push_back({k == 0 ? 0 : k * step, with_minus(text("%.*f", decimals, label))});
  }
  return out;
}

double grain_of(std::span<const double> values) {
  constexpr double kFinest = 1e-6, kCoarsest = 1e6, kFloat32 = 1e-7;
  bool any = false;
  double grain = kCoarsest;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    any |= v != 0;
    const double slack = kFloat32 * std::abs(v);
    while (std::abs(v - std::round(v / grain) * grain) > slack + 1e-12 * grain) {
      grain /= 10;
      if (grain < kFinest * 0.99) return 0;
    }
    // Rounding to float32 hides what is finer.
    if (slack > grain / 10) return 0;
  }
  return any ? std::pow(10, std::round(std::log10(grain))) : 0;
}

std::string rounded(double value, double resolution) {
  if (!std::isfinite(value)) return value > 0 ? "\u221e" : value < 0 ? "\u2212\u221e" : "NaN";
  const int decimals = resolution > 0 ? decimals_of(resolution) : 0;
  if (!(resolution > 0) || decimals > 6 || std::abs(value) >= 1e15) return with_minus(text("%.4g", value));
  std::string s = text("%.*f", decimals, value);
  if (s.find_first_not_of("-0.") == std::string::npos && s[0] == '-') s.erase(0, 1);
  return with_minus(s);
}

}  // namespace cli
