// Tanh: z = tanh x, log_det = sum 2 (log 2 - |x| - log(1 + e^(-2 |x|)));   inverse x = atanh z, NaN for |z| > 1.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Tanh final : public BijectionLayer {
 public:
  using Config = NoConfig;
  Tanh(const Config&, const Declare&) : BijectionLayer(Bijection::tanh, Bijection::atanh) {}
};

}  // namespace

NF_PART(Layer, tanh, Tanh, "z = tanh x, onto (-1, 1)", "Dillon et al. 2017, TensorFlow distributions (Tanh bijector)",
        Domain::real, Domain::symmetric);

}  // namespace libnf
