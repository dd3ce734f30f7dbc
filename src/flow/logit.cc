// Logit of data in [0, 1], such as pixels: p = alpha + (1 - 2 alpha) x, z = log p - log(1 - p),
//   log_det = sum log(1 - 2 alpha) - log p - log(1 - p).
// 1 - p is formed as alpha + (1 - 2 alpha)(1 - x), which keeps its digits near x = 1. Data outside
// [-alpha, 1 + alpha] (to first order) become NaN; the inverse is the sigmoid layer with the same alpha.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Logit final : public BijectionLayer {
 public:
  struct Config final : libnf::Config {
    double alpha = 1e-5;
    void fields(Fields& f) override {
      f.real("alpha", "x is squeezed to [alpha, 1 - alpha], which keeps z finite at 0 and 1; 0 = no squeezing", alpha,
             0, 0.1);
    }
  };
  Logit(const Config& c, const Declare&) : BijectionLayer(Bijection::logit, Bijection::sigmoid, 1, c.alpha, 1) {}
};

}  // namespace

NF_PART(Layer, logit, Logit, "log p/(1 - p) of p = alpha + (1 - 2 alpha) x: from [0, 1] to the reals",
        "Dinh et al. 2017, Density estimation using Real NVP, section 4.1", Domain::unit, Domain::real);

}  // namespace libnf
