// Softplus: z = log(1 + e^x), log_det = -sum softplus(-x);   inverse x = z + log(1 - e^-z), NaN for z < 0.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Softplus final : public BijectionLayer {
 public:
  using Config = NoConfig;
  Softplus(const Config&, const Declare&) : BijectionLayer(Bijection::softplus, Bijection::inverse_softplus) {}
};

}  // namespace

NF_PART(Layer, softplus, Softplus, "z = log(1 + e^x), onto the positive numbers",
        "Dillon et al. 2017, TensorFlow distributions (Softplus bijector)", Domain::real, Domain::positive);

}  // namespace libnf
