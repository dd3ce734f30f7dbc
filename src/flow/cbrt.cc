// Cube root with the sign of its argument: z_j = sign(x_j) |x_j|^(1/3), log_det = sum_j (-log 3 - 2/3 log |x_j|);
// inverse x = z^3. It shortens heavy tails on both sides.
// The slope at 0 is infinite. At an exact 0, log_det is that of the smallest number (68 per column in float32, 495 in
// float64): it is finite, but says nothing about the data. Shift or dequantize columns that hold exact zeros.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Cbrt final : public BijectionLayer {
 public:
  using Config = NoConfig;
  Cbrt(const Config&, const Declare&) : BijectionLayer(Bijection::cbrt, Bijection::cube) {}
};

}  // namespace

NF_PART(Layer, cbrt, Cbrt, "cube root with sign: shortens both tails; its log_det at exactly 0 is finite but arbitrary",
        "Dillon et al. 2017, TensorFlow distributions (as a bijector of both signs)", Domain::nonzero, Domain::nonzero);

}  // namespace libnf
