// Cube root with the sign of its argument: z_j = sign(x_j) |x_j|^(1/3), log_det = sum_j (-log 3 - 2/3 log |x_j|);
// inverse x = z^3. It shortens heavy tails on both sides.
// The slope at 0 is infinite, so a density that is finite in z is infinite at x_j = 0. There z = 0, which inverts, and
// log_det is +infinity, its limit. A row with an exact 0 is reported as not finite; shift such columns first.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Cbrt final : public BijectionLayer {
 public:
  using Config = NoConfig;
  Cbrt(const Config&, const Declare&) : BijectionLayer(Bijection::cbrt, Bijection::cube) {}
};

}  // namespace

NF_PART(Layer, cbrt, Cbrt, "cube root with sign: shortens both tails; infinite log_det at exactly 0",
        "Dillon et al. 2017, TensorFlow distributions (as a bijector of both signs)", Domain::nonzero, Domain::nonzero);

}  // namespace libnf
