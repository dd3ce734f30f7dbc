// A band along an unbounded wave, cut off in the first column, with a second band next to it:
//   log p(x) = log(e^(-((x2 - w1)/width)^2 / 2) + e^(-((x2 - w1 + offset(x1))/width_2)^2 / 2)),  w1 = sin(2 pi x1/4)
// Both bands have a closed-form integral over x2, so Z = sqrt(2 pi) (width + width_2) times the length of the cut.
#pragma once
#include "src/target/pieces.h"
#include "src/target/target.h"

#define NF_CUT_FORMULA "cut(x1) = 0 up to |x1| = cut, beyond -(|x1| - cut)/wall"

namespace libnf {

struct WaveConfig : Config {
  piece::Cut cut;
  void cut_fields(Fields& f) {
    f.real("cut", "the density is cut off at |x1| = cut; 0: no cut, so the integral is infinite", cut.cut, 0, 1000);
    f.real("wall", "beyond the cut the density falls as exp(-distance/wall); 0: it is 0", cut.wall, 0, 10);
  }
};

namespace piece {

// Returns w1 and its derivative.
inline double wave(double x, double* slope) {
  constexpr double kTurn = kPi / 2;
  *slope = kTurn * std::cos(kTurn * x);
  return std::sin(kTurn * x);
}

// Two bands, centered on w1 and on w1 - offset; `offset_slope` is the derivative of the offset.
inline double two_bands(const double* x, const Cut& cut, double offset, double offset_slope, double width,
                        double width_2, double* grad) {
  double w_slope, first;
  const double w = wave(x[0], &w_slope);
  const double log_p = log_sum(bell(x[1], w, width), bell(x[1], w - offset, width_2), &first);
  const double g1 = first * bell_slope(x[1], w, width), g2 = (1 - first) * bell_slope(x[1], w - offset, width_2);
  grad[1] = g1 + g2;
  grad[0] = -g1 * w_slope - g2 * (w_slope - offset_slope);
  return log_p + cut(x[0], &grad[0]);
}

inline double log_z_of_bands(const Cut& cut, double widths) {
  return 0.5 * kLogTwoPi + std::log(widths * cut.length());
}

}  // namespace piece
}  // namespace libnf
