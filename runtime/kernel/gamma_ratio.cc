// Stirling's series of the difference from x = 10 on (its terms fall below 1e-16 there), and below the recurrence
// Gamma(x + 1) = x Gamma(x), whose factors are multiplied before the one logarithm is taken.
#include "runtime/kernel/gamma_ratio.h"

#include <cmath>
#include <limits>

namespace nf::kernel {

GammaRatio gamma_ratio(double x) {
  if (!(x > 0)) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  // sum_n (-1)^(n+1) (B_(n+1)(1/2) - B_(n+1)) / (n (n + 1) x^n), n odd
  constexpr double kSeries[] = {-1.0 / 8,      1.0 / 192,      -1.0 / 640,       17.0 / 14336,
                                -31.0 / 18432, 691.0 / 180224, -5461.0 / 425984, 929569.0 / 15728640};
  constexpr int kTerms = sizeof kSeries / sizeof *kSeries;
  double product = 1, sum = 0, y = x;  // product of y/(y + 1/2), sum of x/y - x/(y + 1/2)
  for (; y < 10; y += 1) {
    product *= y / (y + 0.5);
    sum += 0.5 * x / (y * (y + 0.5));
  }
  const double z = 1 / (y * y);
  double log = 0, slope = 0;
  for (int k = kTerms - 1; k >= 0; --k) {
    log = log * z + kSeries[k];
    slope = slope * z - (2 * k + 1) * kSeries[k];
  }
  log /= y;
  slope /= y;
  if (y == x) return {log, slope};
  const double steps = y - x;
  return {log + std::log(product * std::sqrt(y / x)), x / y * slope + (sum - 0.5 * steps / y)};
}

}  // namespace nf::kernel
