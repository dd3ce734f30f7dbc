// Building blocks of log densities.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace libnf::piece {

inline constexpr double kPi = std::numbers::pi;
inline constexpr double kLogTwoPi = 1.8378770664093454836;

// Returns log(e^a + e^b) and the share of e^a in the sum. If both are -infinity, so is the result, with share 1/2.
inline double log_sum(double a, double b, double* share_of_a) {
  const double high = std::max(a, b), low = std::min(a, b);
  if (high == -std::numeric_limits<double>::infinity()) {
    *share_of_a = 0.5;
    return high;
  }
  constexpr double kNothing = -40;  // e^-40 is negligible next to 1 in double
  if (low - high < kNothing) {
    *share_of_a = a >= b ? 1 : 0;
    return high;
  }
  const double e = std::exp(low - high);
  *share_of_a = (a >= b ? 1 : e) / (1 + e);
  return high + std::log1p(e);
}

// bell returns -((v - center)/width)^2 / 2, bell_slope its derivative.
inline double bell(double v, double center, double width) {
  const double u = (v - center) / width;
  return -0.5 * u * u;
}
inline double bell_slope(double v, double center, double width) { return -(v - center) / (width * width); }

// Outside |v| <= cut the density falls as exp(-(|v| - cut)/wall), so gradients point back inside and stay bounded.
// wall = 0: the density is 0 outside. cut = 0: no cut.
struct Cut {
  double cut = 4, wall = 0.02;
  // Returns the term to add to the log density, and adds its derivative to *slope.
  double operator()(double v, double* slope) const {
    if (cut == 0 || std::abs(v) <= cut) return 0;
    if (wall == 0) return -std::numeric_limits<double>::infinity();
    *slope -= (v > 0 ? 1 : -1) / wall;
    return -(std::abs(v) - cut) / wall;
  }
  // Returns the integral of exp of this term over v.
  double length() const { return cut == 0 ? std::numeric_limits<double>::infinity() : 2 * (cut + wall); }
};

}  // namespace libnf::piece
