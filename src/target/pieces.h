// Pieces that log densities are made of.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace nf::piece {

inline constexpr double kPi = std::numbers::pi;
inline constexpr double kLogTwoPi = 1.8378770664093454836;

// log(e^a + e^b), and the share of e^a in the sum. Both -infinity: so is the result, share 1/2.
inline double log_sum(double a, double b, double* share_of_a) {
  const double high = std::max(a, b), low = std::min(a, b);
  if (high == -std::numeric_limits<double>::infinity()) {
    *share_of_a = 0.5;
    return high;
  }
  constexpr double kNothing = -40;  // beside 1, in double
  if (low - high < kNothing) {
    *share_of_a = a >= b ? 1 : 0;
    return high;
  }
  const double e = std::exp(low - high);
  *share_of_a = (a >= b ? 1 : e) / (1 + e);
  return high + std::log1p(e);
}

// -((v - centre)/width)^2 / 2 and its derivative.
inline double bell(double v, double centre, double width) {
  const double u = (v - centre) / width;
  return -0.5 * u * u;
}
inline double bell_slope(double v, double centre, double width) { return -(v - centre) / (width * width); }

// Outside of |v| <= cut the density falls off as exp(-(|v| - cut)/wall), so that gradients lead back and stay bounded;
// wall = 0: it is 0 there. cut = 0: no cut.
struct Cut {
  double cut = 4, wall = 0.02;
  // To be added to the log density; adds to *slope.
  double operator()(double v, double* slope) const {
    if (cut == 0 || std::abs(v) <= cut) return 0;
    if (wall == 0) return -std::numeric_limits<double>::infinity();
    *slope -= (v > 0 ? 1 : -1) / wall;
    return -(std::abs(v) - cut) / wall;
  }
  // The integral of it over v.
  double length() const { return cut == 0 ? std::numeric_limits<double>::infinity() : 2 * (cut + wall); }
};

}  // namespace nf::piece
