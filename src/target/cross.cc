// Four Gaussian bumps in a cross: centers (0, +-distance) with variances (across, along) and (+-distance, 0) with
// (along, across), each of height 1. log Z = log(8 pi sqrt(across along)), 1.9613 by default.
#include "src/target/pieces.h"
#include "src/target/target.h"

namespace libnf {
namespace {

class Cross final : public PointTarget<Cross> {
 public:
  struct Config : libnf::Config {
    double distance = 3, across = 0.2, along = 0.4;
    void fields(Fields& f) override {
      f.real("distance", "distance of the four centers from the origin", distance, 0, 100);
      f.real("across", "variance across the arm of the cross", across, 1e-4, 100);
      f.real("along", "variance along the arm", along, 1e-4, 100);
    }
  };
  Cross(const Config& c, int64_t event) : PointTarget(event), c_(c) {}

  double at(const double* x, double* grad) const {
    const double across = std::sqrt(c_.across), along = std::sqrt(c_.along), d = c_.distance;
    double log_p[2], g[2][2], vertical;
    for (int arm = 0; arm < 2; ++arm) {  // 0: the pair above and below, 1: left and right
      const double a = x[1 - arm], b = x[arm];
      double upper;
      log_p[arm] =
          piece::log_sum(piece::bell(a, d, along), piece::bell(a, -d, along), &upper) + piece::bell(b, 0, across);
      g[arm][1 - arm] = piece::bell_slope(a, d * (2 * upper - 1), along);
      g[arm][arm] = piece::bell_slope(b, 0, across);
    }
    const double all = piece::log_sum(log_p[0], log_p[1], &vertical);
    for (int j = 0; j < 2; ++j) grad[j] = vertical * g[0][j] + (1 - vertical) * g[1][j];
    return all;
  }
  double log_z() const override { return std::log(8 * piece::kPi) + 0.5 * std::log(c_.across * c_.along); }

 private:
  Config c_;
};

}  // namespace

NF_PART(Target, cross, Cross, "four Gaussian bumps in a cross", "",
        "log of the sum over both signs of e^(-(x1^2/across + (x2 +- distance)^2/along)/2) + e^(-((x1 +- "
        "distance)^2/along + x2^2/across)/2)",
        2, 2);

}  // namespace libnf
