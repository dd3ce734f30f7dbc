// U2 of Rezende and Mohamed 2015 (Table 1): a band along a sine wave, log p(x) = -((x2 - sin(2 pi x1/4))/width)^2 / 2,
// cut off at |x1| = cut (wave.h). log Z = 2.0821 with the default cut and no wall.
#include "src/target/wave.h"

namespace libnf {
namespace {

class U2 final : public PointTarget<U2> {
 public:
  struct Config : WaveConfig {
    double width = 0.4;
    void fields(Fields& f) override {
      f.real("width", "standard deviation across the band", width, 0.01, 10);
      cut_fields(f);
    }
  };
  U2(const Config& c, int64_t event) : PointTarget(event), c_(c) {}
  double at(const double* x, double* grad) const {
    double w_slope;
    const double w = piece::wave(x[0], &w_slope);
    grad[1] = piece::bell_slope(x[1], w, c_.width);
    grad[0] = -grad[1] * w_slope;
    return piece::bell(x[1], w, c_.width) + c_.cut(x[0], &grad[0]);
  }
  double log_z() const override { return piece::log_z_of_bands(c_.cut, c_.width); }

 private:
  Config c_;
};

}  // namespace

NF_PART(Target, u2, U2, "a band along a sine wave", "Rezende and Mohamed 2015, Table 1",
        "-((x2 - sin(pi x1/2))/width)^2 / 2 + cut(x1); " NF_CUT_FORMULA, 2, 2);

}  // namespace libnf
