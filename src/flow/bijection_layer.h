// A layer that applies one elementwise function without parameters. `forward` and `inverse` name the two kernels.
#pragma once
#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace libnf {

class BijectionLayer : public Layer {
 public:
  // a and b are the constants of kernel/bijection.h; leaky_relu uses a different a in each direction.
  BijectionLayer(Bijection forward, Bijection inverse, double a = 1, double b = 0, double inverse_a = 1)
      : forward_(forward), inverse_(inverse), a_(a), b_(b), inverse_a_(inverse_a) {}
  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, forward_, x, a_); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, inverse_, z, inverse_a_); }

 private:
  Mapped map(const Scope& s, Bijection f, Var x, double a) const { return bijection(s.tape, f, x, a, b_); }
  Bijection forward_, inverse_;
  double a_, b_, inverse_a_;
};

}  // namespace libnf
