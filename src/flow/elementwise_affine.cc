// Elementwise affine map with a learned scale and shift per column:
//   z_j = x_j exp(l_j) + b_j,  log_det = sum_j l_j;   inverse x_j = (z_j - b_j) exp(-l_j).
#include "runtime/op/affine_low.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace libnf {
namespace {

class ElementwiseAffine final : public Layer {
 public:
  using Config = NoConfig;

  ElementwiseAffine(const Config&, const Declare& d)
      : log_scale_(d.param("log_scale", {d.columns()}, Init::zeros())),
        shift_(d.param("shift", {d.columns()}, Init::zeros())) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }
  LowPart low_part() const override { return LowPart::used; }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    return affine_low(s.tape, x, s.param(log_scale_), s.param(shift_), nullptr, inverse);
  }
  ParamId log_scale_, shift_;
};

}  // namespace

NF_PART(Layer, elementwise_affine, ElementwiseAffine, "scales and shifts every column by learned constants",
        "Kingma & Dhariwal 2018, Glow, table 1 (actnorm without data-dependent initialization)", Domain::real,
        Domain::real, OnImages::per_pixel);

}  // namespace libnf
