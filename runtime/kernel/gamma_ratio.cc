// For x >= 10, Stirling's series of the difference (its terms fall below 1e-16 there); below, the recurrence
// Gamma(x + 1) = x Gamma(x), whose factors are multiplied so that only one logarithm is taken.
#include "runtime/kernel/gamma_ratio.h"

#include <cmath>
#include <limits>

namespace libnf::kernel {

GammaRatio gamma_ratio(double x) {
  if (!(x > 0)) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    return {kNaN, kNaN, kNaN};
  }
  // sum_n (-1)^(n+1) (B_(n+1)(1/2) - B_(n+1)) / (n (n + 1) x^n), n odd
  constexpr double kSeries[] = {-1.0 / 8,      1.0 / 192,      -1.0 / 640,       17.0 / 14336,
                                -31.0 / 18432, 691.0 / 180224, -5461.0 / 425984, 929569.0 / 15728640};
  constexpr int kTerms = sizeof kSeries / sizeof *kSeries;
  double product = 1, sum = 0, turn = 0,
         y = x;  // product of y/(y + 1/2), sum of x/y - x/(y + 1/2), of x times its slope
  for (; y < 10; y += 1) {
    const double both = y * (y + 0.5), term = 0.5 * x / both;
    product *= y / (y + 0.5);
    sum += term;
    turn += term * (1 - x * (2 * y + 0.5) / both);
  }
  const double z = 1 / (y * y);
  double log = 0, slope = 0, curve = 0;
  for (int k = kTerms - 1; k >= 0; --k) {
    const double power = 2 * k + 1;
    log = log * z + kSeries[k];
    slope = slope * z - power * kSeries[k];
    curve = curve * z + power * power * kSeries[k];
  }
  log /= y;
  slope /= y;
  curve /= y;
  if (y == x) return {log, slope, curve};
  const double steps = y - x, share = x / y, rest = steps / y;
  return {log + std::log(product * std::sqrt(y / x)), share * slope + (sum - 0.5 * rest),
          share * (rest * slope + share * curve) + (turn + 0.5 * rest * share)};
}

}  // namespace libnf::kernel
