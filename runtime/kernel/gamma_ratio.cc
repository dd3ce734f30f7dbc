// For x >= 10, Stirling's series of the difference (its terms fall below 1e-16 there); below, the recurrence
// Gamma(x + 1) = x Gamma(x), whose factors are multiplied so that only one logarithm is taken.
#include "runtime/kernel/gamma_ratio.h"

#include <cmath>
#include <limits>
#include <utility>

namespace libnf::kernel {
namespace {

// sum_n (-1)^(n+1) (B_(n+1)(1/2) - B_(n+1)) / (n (n + 1) x^n), n odd
constexpr double kSeries[] = {-1.0 / 8,      1.0 / 192,      -1.0 / 640,       17.0 / 14336,
                              -31.0 / 18432, 691.0 / 180224, -5461.0 / 425984, 929569.0 / 15728640};
constexpr int kTerms = sizeof kSeries / sizeof *kSeries;

// With x = e^l, y = x + c and p = x/y, derivatives by l stay polynomials in p, because p' = p (1 - p):
//   (y^-m R(p))' = y^-m (p (1 - p) R'(p) - m p R(p))
class Polynomial {
 public:
  explicit Polynomial(int power) { at_[power] = 1; }
  void differentiate(double m) {
    double next[kSize] = {};
    for (int i = 0; i + 1 < kSize; ++i) {
      next[i] += i * at_[i];
      next[i + 1] -= (i + m) * at_[i];
    }
    for (int i = 0; i < kSize; ++i) at_[i] = next[i];
  }
  double at(double p) const {
    double sum = 0;
    for (int i = kSize - 1; i >= 0; --i) sum = sum * p + at_[i];
    return sum;
  }

 private:
  static constexpr int kSize = kMaxGammaRatioOrder + 2;
  double at_[kSize] = {};
};

}  // namespace

double gamma_ratio_derivative(double x, int order) {
  if (order <= 2 || !(x > 0)) {
    const GammaRatio g = gamma_ratio(x);
    return order == 0 ? g.log : order == 1 ? g.slope : g.curve;
  }
  Polynomial log(1);  // the first derivative of log y is p
  for (int k = 1; k < order; ++k) log.differentiate(0);
  double y = x, sum = 0;
  for (; y < 10; y += 1) sum += log.at(x / y) - log.at(x / (y + 0.5));
  sum += 0.5 * log.at(x / y);
  double power = 1 / y;
  for (int k = 0; k < kTerms; ++k, power /= y * y) {
    Polynomial term(0);
    for (int i = 0; i < order; ++i) term.differentiate(2 * k + 1);
    sum += kSeries[k] * power * term.at(x / y);
  }
  return std::isinf(x) ? 0 : sum;
}

GammaRatio gamma_ratio(double x) {
  if (!(x > 0)) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    return {kNaN, kNaN, kNaN};
  }
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

RisingFactorial rising_factorial(double x, double n) {
  if (!(x > 0) || !(n >= 0)) {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    return {kNaN, kNaN};
  }
  RisingFactorial h = {0, 0};
  // One factor at a time as long as they are few, or until Stirling's series is accurate.
  constexpr double kFew = 16;
  double k = 0;
  for (; k < n && (n <= kFew || x + k < 10); k += 1) {
    h.log += std::log1p(k / x);
    h.slope -= k / (x + k);
  }
  if (k >= n || std::isinf(x)) return h;
  // The rest from Gamma(y) to Gamma(z), z = y + m, by  log Gamma(y) = (y - 1/2) log y - y + s(y) + constant.
  const double y = x + k, m = n - k, z = y + m, grown = std::log1p(m / y);
  const auto series = [](double v) {  // s(v), -v s'(v)
    const double w = 1 / (v * v);
    double value = 0, slope = 0;
    constexpr double kStirling[] = {1.0 / 12,   -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                                    1.0 / 1188, -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400};
    for (int i = 7; i >= 0; --i) {
      value = value * w + kStirling[i];
      slope = slope * w + (2 * i + 1) * kStirling[i];
    }
    return std::pair(value / v, slope / v);
  };
  const auto [low, low_slope] = series(y);
  const auto [high, high_slope] = series(z);
  h.log += (z - 0.5) * grown - m + m * std::log1p(k / x) + (high - low);
  h.slope += x * grown - m + 0.5 * x * (m / z) / y - x * (high_slope / z - low_slope / y);
  return h;
}

}  // namespace libnf::kernel
