// U3 of Rezende and Mohamed 2015 (Table 1): two bands of equal width along a wave, which part around x1 = 1 (wave.h);
// their offset is w2 = 3 exp(-((x1 - 1)/0.6)^2 / 2).
#include "src/target/wave.h"

namespace libnf {
namespace {

class U3 final : public PointTarget<U3> {
 public:
  struct Config : WaveConfig {
    double width = 0.35;
    void fields(Fields& f) override {
      f.real("width", "standard deviation across each band", width, 0.01, 10);
      cut_fields(f);
    }
  };
  U3(const Config& c, int64_t event) : PointTarget(event), c_(c) {}
  double at(const double* x, double* grad) const {
    const double offset = 3 * std::exp(piece::bell(x[0], 1, 0.6));
    return piece::two_bands(x, c_.cut, offset, offset * piece::bell_slope(x[0], 1, 0.6), c_.width, c_.width, grad);
  }
  double log_z() const override { return piece::log_z_of_bands(c_.cut, 2 * c_.width); }

 private:
  Config c_;
};

}  // namespace

NF_PART(Target, u3, U3, "two bands along a wave that part in the middle", "Rezende and Mohamed 2015, Table 1",
        "log(e^(-((x2 - w)/width)^2 / 2) + e^(-((x2 - w + v)/width)^2 / 2)) + cut(x1), w = sin(pi x1/2), v = 3 "
        "e^(-((x1 - 1)/0.6)^2 / 2); " NF_CUT_FORMULA,
        2, 2);

}  // namespace libnf
