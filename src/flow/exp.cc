// Exponential: z = e^x, log_det = sum x;   inverse x = log z, NaN for z < 0. Inverted, it maps positive data to reals.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Exp final : public BijectionLayer {
 public:
  using Config = NoConfig;
  Exp(const Config&, const Declare&) : BijectionLayer(Bijection::exp, Bijection::log) {}
};

}  // namespace

NF_PART(Layer, exp, Exp, "z = e^x, onto the positive numbers",
        "Dillon et al. 2017, TensorFlow distributions (Exp bijector)", Domain::real, Domain::positive);

}  // namespace libnf
