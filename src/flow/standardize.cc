// Standardizes columns to mean 0 and standard deviation 1. Fitted on data once and not trained, so users pass raw
// numbers in and get raw numbers out:
//   z_j = (x_j - m_j) / s_j,  log_det = -sum_j log s_j;   inverse x_j = z_j s_j + m_j
// m and the unbiased s are those of the rows that arrive; inverted, they make the inverse direction standardize. A
// constant column has s = 1. The mean is subtracted before scaling, so columns far from 0 lose no precision; in float32 it
// is the sum of two tensors, mean + mean_low, and rows from float64 arrive with what rounding took from them (Node::low).
#include "runtime/op/affine_low.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/start.h"

namespace libnf {
namespace {

class Standardize final : public Layer {
 public:
  using Config = NoConfig;
  static constexpr const char* kAliases[] = {"standardise"};

  Standardize(const Config&, const Declare& d)
      : mean_(d.buffer("mean", {d.columns()}, Init::zeros())),
        std_(d.buffer("std", {d.columns()}, Init::fill(1), Invariant::positive)),
        started_(d.buffer("initialized", {1}, Init::zeros(), Invariant::flag, "initialised")),
        mean_low_(d.low_part("mean_low", d.columns())) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, true); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, false); }

  LowPart low_part() const override { return LowPart::used; }

  ParamId started() const override { return started_; }
  void start(const ParamStore& store, const ColumnStats& in, bool inverted) const override {
    // The shift in units of z, or of x.
    write_param(store, mean_, mean_low_, [&](int64_t j) {
      return inverted ? Spread{-in.mean[j] / in.spread(j), 1} : Spread{in.mean[j], in.spread(j)};
    });
    write_param(store, std_, [&](int64_t j) { return inverted ? 1 / in.spread(j) : in.spread(j); });
  }

 private:
  // The op's inverse is (x - shift) exp(-log_scale), which is this layer's forward direction.
  Mapped map(const Scope& s, Var x, bool inverse) const {
    return affine_low(s.tape, x, unary(s.tape, Unary::log, s.param(std_)), s.param(mean_), s.param(mean_low_), inverse);
  }
  ParamId mean_, std_, started_, mean_low_;
};

}  // namespace

NF_PART(Layer, standardize, Standardize, "columns to mean 0 and standard deviation 1, as fitted on the training data",
        "elementwise affine map with constants of the data", Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
