// ActNorm (Kingma & Dhariwal 2018, section 3.1): a learned scale and shift per column, initialized from data so that
// the first rows come out with mean 0 and unbiased standard deviation 1:
//   z_j = x_j exp(l_j) + b_j,  log_det = sum_j l_j;   inverse x_j = (z_j - b_j) exp(-l_j)
// Initial values: l = -log s, b = -m / s from mean m and standard deviation s of x; inverted: l = log s, b = m of z.
// A constant column has s = 1.
#include <cmath>

#include "runtime/op/affine_low.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/start.h"

namespace libnf {
namespace {

class ActNorm final : public Layer {
 public:
  using Config = NoConfig;

  ActNorm(const Config&, const Declare& d)
      : log_scale_(d.param("log_scale", {d.columns()}, Init::zeros())),
        shift_(d.param("shift", {d.columns()}, Init::zeros())),
        started_(d.buffer("initialized", {1}, Init::zeros(), Invariant::flag, "initialised")) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }
  LowPart low_part() const override { return LowPart::used; }

  ParamId started() const override { return started_; }
  void start(const ParamStore& store, const ColumnStats& in, bool inverted) const override {
    write_param(store, log_scale_, [&](int64_t j) { return (inverted ? 1 : -1) * std::log(in.spread(j)); });
    write_param(store, shift_, [&](int64_t j) { return inverted ? in.mean[j] : -in.mean[j] / in.spread(j); });
  }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    return affine_low(s.tape, x, s.param(log_scale_), s.param(shift_), nullptr, inverse);
  }
  ParamId log_scale_, shift_, started_;
};

}  // namespace

NF_PART(Layer, actnorm, ActNorm,
        "scales and shifts every column; initialized so that the first data come out standardized",
        "Kingma & Dhariwal 2018, Glow, section 3.1");

}  // namespace libnf
