// Soft clipping to (-B, B): z_j = x_j/(1 + |x_j|/B), log_det = -2 sum_j log(1 + |x_j|/B);
// inverse x_j = z_j/(1 - |z_j|/B), NaN for |z_j| > B. Nearly the identity for |x_j| far below B.
#include "src/flow/bijection_layer.h"

namespace libnf {
namespace {

class Softclip final : public BijectionLayer {
 public:
  struct Config final : libnf::Config {
    double bound = 5;
    void fields(Fields& f) override { f.real("bound", "B: outputs are inside (-B, B)", bound, 1, 1e6); }
  };
  Softclip(const Config& c, const Declare&)
      : BijectionLayer(Bijection::softclip, Bijection::inverse_softclip, c.bound, 0, c.bound) {}
};

}  // namespace

NF_PART(Layer, softclip, Softclip, "clips smoothly to (-B, B)",
        "Rozet et al. 2022, Zuko (SoftclipTransform, between the layers of its neural autoregressive flows)",
        Domain::real, Domain::symmetric);

}  // namespace libnf
