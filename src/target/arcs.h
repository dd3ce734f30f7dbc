// A ring that is dense on its left and right sides, so that it looks like two arcs:
//   log p(x) = b(|x|; radius, width) + log(e^b(x1; centre, spread) + e^b(x1; -centre, spread)),
//   b(v; m, s) = -((v - m)/s)^2 / 2
// log Z comes from the trapezoidal rule in polar coordinates where that is accurate to 1e-6 (1e-9 for the defaults). If
// the ring or the bumps are too thin for the rule, log Z is unknown.
#pragma once
#include "src/target/pieces.h"
#include "src/target/target.h"

#define NF_ARCS_FORMULA                                                      \
  "-((|x| - radius)/width)^2 / 2 + log(e^(-((x1 - centre)/spread)^2 / 2) + " \
  "e^(-((x1 + centre)/spread)^2 / 2))"

namespace libnf {

struct ArcsConfig : Config {
  ArcsConfig(double radius, double width, double centre, double spread)
      : radius(radius), width(width), centre(centre), spread(spread) {}
  double radius, width, centre, spread;
  void fields(Fields& f) override {
    f.real("radius", "radius of the ring", radius, 0.1, 100);
    f.real("width", "standard deviation across the ring", width, 0.01, 10);
    f.real("centre", "the two bumps along the first column are at -centre and centre", centre, 0, 100);
    f.real("spread", "standard deviation of the bumps", spread, 0.01, 10);
  }
};

class Arcs : public PointTarget<Arcs> {
 public:
  Arcs(const ArcsConfig& c, int64_t event) : PointTarget(event), c_(c) {}

  double at(const double* x, double* grad) const {
    const double r = std::sqrt(x[0] * x[0] + x[1] * x[1]);  // squares of floats do not overflow
    double right;
    const double bumps =
        piece::log_sum(piece::bell(x[0], c_.centre, c_.spread), piece::bell(x[0], -c_.centre, c_.spread), &right);
    const double outward = r > 0 ? piece::bell_slope(r, c_.radius, c_.width) / r : 0;  // any direction is valid at 0
    const double mean = c_.centre * (2 * right - 1);
    grad[0] = outward * x[0] + piece::bell_slope(x[0], mean, c_.spread);
    grad[1] = outward * x[1];
    return piece::bell(r, c_.radius, c_.width) + bumps;
  }

  // Integrates relative to the largest value of the density, since the density underflows if the bumps are far off the
  // ring.
  double log_z() const override {
    constexpr int kAngles = 1024, kRadii = 2000;
    const double pull = 1 / (c_.spread * c_.spread), hold = 1 / (c_.width * c_.width);
    const double nearest = c_.centre > c_.radius ? (c_.radius * hold + c_.centre * pull) / (hold + pull) : c_.radius;
    const double top = piece::bell(nearest, c_.radius, c_.width) +
                       (c_.centre > c_.radius ? piece::bell(nearest, c_.centre, c_.spread) : 0);
    const double low = std::max(0.0, c_.radius - 10 * c_.width), high = nearest + 10 * c_.width;
    const double step = (high - low) / kRadii;
    double sum = 0, coarse = 0;
    for (int i = 1; i <= kRadii; ++i) {  // the integrand is 0, or almost 0, at both ends
      const double r = low + step * i, ring = piece::bell(r, c_.radius, c_.width);
      double around = 0, coarse_around = 0;
      // By symmetry a quarter of the circle is enough.
      for (int k = 0; k <= kAngles / 4; ++k) {
        double share;
        const double v = r * std::cos(2 * piece::kPi * k / kAngles);
        const double bumps =
            piece::log_sum(piece::bell(v, c_.centre, c_.spread), piece::bell(v, -c_.centre, c_.spread), &share);
        const double part = std::exp(ring + bumps - top) * (k == 0 || k == kAngles / 4 ? 2 : 4);
        around += part;
        if (k % 2 == 0) coarse_around += part;
      }
      sum += r * around;
      if (i % 2 == 0) coarse += r * coarse_around;
    }
    // Repeats the sum with every second point at 4 times the area; the change is an upper bound of the error.
    constexpr double kSure = 1e-6;
    if (!(std::abs(std::log(4 * coarse / sum)) < kSure)) return kUnknown;
    return top + std::log(sum * step * 2 * piece::kPi / kAngles);
  }

 private:
  ArcsConfig c_;
};

}  // namespace libnf
