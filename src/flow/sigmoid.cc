// Sigmoid: z = (s(T x) - alpha)/(1 - 2 alpha), s(u) = 1/(1 + e^-u), T the temperature,
//   log_det = sum log T - softplus(T x) - softplus(-T x) - log(1 - 2 alpha).
// With alpha > 0 the image is a little wider than [0, 1], so the inverse accepts 0 and 1; values outside the image
// become NaN. In float32, T x above about 17 gives exactly 1.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Sigmoid final : public BijectionLayer {
 public:
  struct Config final : libnf::Config {
    double temperature = 1, alpha = 0;
    void fields(Fields& f) override {
      f.real("temperature", "factor of x", temperature, 1e-2, 1e2);
      f.real("alpha", "z = (sigmoid - alpha)/(1 - 2 alpha): makes 0 and 1 interior points", alpha, 0, 0.1);
    }
  };
  Sigmoid(const Config& c, const Declare&)
      : BijectionLayer(Bijection::sigmoid, Bijection::logit, c.temperature, c.alpha, c.temperature) {}
};

}  // namespace

NF_PART(Layer, sigmoid, Sigmoid, "(1 + e^-x): to (0, 1)/(1 + e^-x): to (0, 1)",
        "Dinh et al. 2017, Density estimation using Real NVP, section 4.1", Domain::real, Domain::unit);

}  // namespace libnf
