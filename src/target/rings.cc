// Rings of equal height around the origin: log p(x) = log sum_k exp(-((|x| - r_k)/width)^2 / 2), with radii
// r_k = k radius / rings for k = 1 ... rings. Z = 2 pi sum_k (width^2 e^(-(r_k/width)^2 / 2) + r_k width sqrt(2 pi)
// Phi(r_k/width)).
#include "src/target/pieces.h"
#include "src/target/target.h"

namespace libnf {
namespace {

class Rings final : public PointTarget<Rings> {
 public:
  struct Config : libnf::Config {
    int64_t rings = 2;
    double radius = 3, width = 0.25;
    void fields(Fields& f) override {
      f.integer("rings", "number of rings", rings, 1, 100);
      f.real("radius", "radius of the outermost ring", radius, 0.1, 100);
      f.real("width", "standard deviation across a ring", width, 0.01, 10);
    }
  };
  Rings(const Config& c, int64_t event) : PointTarget(event), c_(c) {}

  double at(const double* x, double* grad) const {
    const double r = std::sqrt(x[0] * x[0] + x[1] * x[1]);  // squares of floats do not overflow
    double log_p = piece::bell(r, radius(1), c_.width), slope = piece::bell_slope(r, radius(1), c_.width);
    for (int64_t k = 2; k <= c_.rings; ++k) {
      double before;
      log_p = piece::log_sum(log_p, piece::bell(r, radius(k), c_.width), &before);
      slope = before * slope + (1 - before) * piece::bell_slope(r, radius(k), c_.width);
    }
    for (int j = 0; j < 2; ++j) grad[j] = r > 0 ? slope * x[j] / r : 0;
    return log_p;
  }
  double log_z() const override {
    double sum = 0;
    for (int64_t k = 1; k <= c_.rings; ++k) {
      const double u = radius(k) / c_.width, below = 0.5 * std::erfc(-u / std::numbers::sqrt2);
      sum += std::exp(-0.5 * u * u) + u * std::sqrt(2 * piece::kPi) * below;
    }
    return std::log(2 * piece::kPi * c_.width * c_.width * sum);
  }

 private:
  double radius(int64_t k) const { return c_.radius * static_cast<double>(k) / static_cast<double>(c_.rings); }
  Config c_;
};

}  // namespace

NF_PART(Target, rings, Rings, "concentric rings", "",
        "log sum_k e^(-((|x| - r_k)/width)^2 / 2), r_k = k radius/rings, k = 1 to rings", 2, 2);

}  // namespace libnf
