// PReLU with one learned slope per column: z_j = x_j for x_j >= 0, exp(l_j) x_j below, log_det = sum of l_j over the
// negative x_j. The logarithm of the slope is learned, so the slope stays positive and the map invertible.
#include <cmath>

#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace libnf {
namespace {

class Prelu final : public Layer {
 public:
  struct Config final : libnf::Config {
    double slope = 0.25;
    void fields(Fields& f) override { f.real("slope", "initial slope for negative numbers", slope, 1e-3, 1e3); }
  };
  Prelu(const Config& c, const Declare& d)
      : log_slope_(d.param("log_slope", {d.columns()}, Init::fill(std::log(c.slope)))) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const { return prelu(s.tape, x, s.param(log_slope_), inverse); }
  ParamId log_slope_;
};

}  // namespace

NF_PART(Layer, prelu, Prelu, "scales negative numbers by a learned slope per column",
        "He et al. 2015, Delving deep into rectifiers, eq. 1, as a bijection");

}  // namespace libnf
