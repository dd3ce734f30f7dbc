// Neal's funnel (2003, section 8): x1 ~ N(0, scale^2), x_j ~ N(0, e^x1) for the others. Normalized: log Z = 0.
#include "src/target/pieces.h"
#include "src/target/target.h"

namespace libnf {
namespace {

class Funnel final : public PointTarget<Funnel> {
 public:
  struct Config : libnf::Config {
    double scale = 3;
    void fields(Fields& f) override { f.real("scale", "standard deviation of the first column", scale, 0.01, 100); }
  };
  Funnel(const Config& c, int64_t event) : PointTarget(event), c_(c) {}
  double at(const double* x, double* grad) const {
    const double precision = std::exp(-x[0]), others = static_cast<double>(event - 1);
    double squares = 0;
    for (int64_t j = 1; j < event; ++j) {
      squares += x[j] * x[j];
      grad[j] = -x[j] * precision;
    }
    // Avoids 0 times infinity on the axis, where the precision overflows.
    const double spread = squares > 0 ? squares * precision : 0;
    grad[0] = piece::bell_slope(x[0], 0, c_.scale) + 0.5 * (spread - others);
    return piece::bell(x[0], 0, c_.scale) - std::log(c_.scale) - 0.5 * (spread + others * x[0]) -
           0.5 * static_cast<double>(event) * piece::kLogTwoPi;
  }
  double log_z() const override { return 0; }

 private:
  Config c_;
};

}  // namespace

NF_PART(Target, funnel, Funnel, "Neal's funnel, any number of columns", "Neal 2003, section 8",
        "x1 ~ N(0, scale^2), every other xj ~ N(0, e^x1)", 1, 1 << 24);

}  // namespace libnf
