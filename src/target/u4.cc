// U4 of Rezende and Mohamed 2015 (Table 1): two bands along a wave that separate at x1 = 1 and stay apart (wave.h);
// their offset is w3 = 3 sigmoid((x1 - 1)/0.3).
#include "src/target/wave.h"

namespace libnf {
namespace {

class U4 final : public PointTarget<U4> {
 public:
  struct Config : WaveConfig {
    double width = 0.4, width_2 = 0.35;
    void fields(Fields& f) override {
      f.real("width", "standard deviation across the band of the wave", width, 0.01, 10);
      f.real("width_2", "standard deviation across the second band", width_2, 0.01, 10);
      cut_fields(f);
    }
  };
  U4(const Config& c, int64_t event) : PointTarget(event), c_(c) {}
  double at(const double* x, double* grad) const {
    const double s = 1 / (1 + std::exp(-(x[0] - 1) / 0.3));
    return piece::two_bands(x, c_.cut, 3 * s, 3 * s * (1 - s) / 0.3, c_.width, c_.width_2, grad);
  }
  double log_z() const override { return piece::log_z_of_bands(c_.cut, c_.width + c_.width_2); }

 private:
  Config c_;
};

}  // namespace

NF_PART(Target, u4, U4, "two bands along a wave that part at x1 = 1", "Rezende and Mohamed 2015, Table 1",
        "log(e^(-((x2 - w)/width)^2 / 2) + e^(-((x2 - w + v)/width_2)^2 / 2)) + cut(x1), w = sin(pi x1/2), v = 3 "
        "sigmoid((x1 - 1)/0.3); " NF_CUT_FORMULA,
        2, 2);

}  // namespace libnf
