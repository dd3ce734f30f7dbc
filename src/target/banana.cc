// A bent Gaussian: x1 ~ N(0, scale^2), x2 ~ N(bend x1^2, 1), other columns standard normal. Normalized: log Z = 0.
// It is the twisted normal of Haario et al. 1999 with other parameters.
#include "src/target/pieces.h"
#include "src/target/target.h"

namespace libnf {
namespace {

class Banana final : public PointTarget<Banana> {
 public:
  struct Config : libnf::Config {
    double scale = 2, bend = 0.25;
    void fields(Fields& f) override {
      f.real("scale", "standard deviation of the first column", scale, 0.01, 100);
      f.real("bend", "the second column has mean bend x1^2", bend, -100, 100);
    }
  };
  Banana(const Config& c, int64_t event) : PointTarget(event), c_(c) {}
  double at(const double* x, double* grad) const {
    const double off = x[1] - c_.bend * x[0] * x[0];
    grad[0] = piece::bell_slope(x[0], 0, c_.scale) + 2 * c_.bend * x[0] * off;
    grad[1] = -off;
    double log_p = piece::bell(x[0], 0, c_.scale) - 0.5 * off * off - std::log(c_.scale) -
                   0.5 * static_cast<double>(event) * piece::kLogTwoPi;
    for (int64_t j = 2; j < event; ++j) {
      grad[j] = -x[j];
      log_p -= 0.5 * x[j] * x[j];
    }
    return log_p;
  }
  double log_z() const override { return 0; }

 private:
  Config c_;
};

}  // namespace

NF_PART(Target, banana, Banana, "a bent Gaussian, two or more columns", "Haario et al. 1999",
        "x1 ~ N(0, scale^2), x2 ~ N(bend x1^2, 1), every other xj ~ N(0, 1)", 2, 1 << 24);

}  // namespace libnf
