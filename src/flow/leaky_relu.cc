// Leaky ReLU: z_j = x_j for x_j >= 0, slope x_j below, log_det = (number of negative x_j) log slope.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class LeakyRelu final : public BijectionLayer {
 public:
  struct Config final : libnf::Config {
    double slope = 0.01;
    void fields(Fields& f) override { f.real("slope", "slope for negative numbers", slope, 1e-3, 1e3); }
  };
  LeakyRelu(const Config& c, const Declare&)
      : BijectionLayer(Bijection::leaky_relu, Bijection::leaky_relu, c.slope, 0, 1 / c.slope) {}
};

}  // namespace

NF_PART(Layer, leaky_relu, LeakyRelu, "scales negative numbers by a given slope",
        "Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models");

}  // namespace libnf
