// ActNorm (Kingma & Dhariwal 2018, section 3.1): a learned scale and shift per column, initialized from data so that
// the first rows come out with mean 0 and unbiased standard deviation 1:
//   z_j = (x_j - c_j) exp(l_j) + b_j,  log_det = sum_j l_j;   inverse x_j = (z_j - b_j) exp(-l_j) + c_j
// The center c is a constant. It is the mean of columns that are far from 0 beside their spread, where x exp(l) + b would
// lose the digits in which the rows differ, and 0 for all others; files of version 0.1 have none.
// Initial values: l = -log s, b = (c - m) / s from mean m and standard deviation s of x; inverted: l = log s, b = m of z,
// which is subtracted first as it is. A constant column has s = 1.
#include <algorithm>
#include <cmath>

#include "runtime/core/rows.h"
#include "runtime/op/affine_low.h"
#include "runtime/op/ops.h"
#include "src/flow/layer.h"
#include "src/flow/start.h"

namespace libnf {
namespace {

constexpr double kFar = 8;  // standard deviations from 0: three bits of every number are lost there

class ActNorm final : public Layer {
 public:
  using Config = NoConfig;

  ActNorm(const Config&, const Declare& d)
      : log_scale_(d.param("log_scale", {d.columns()}, Init::zeros())),
        shift_(d.param("shift", {d.columns()}, Init::zeros())),
        center_(d.added_buffer("center", std::vector<double>(static_cast<size_t>(d.columns())), Invariant::none)),
        started_(d.buffer("initialized", {1}, Init::zeros(), Invariant::flag, "initialised")) {}

  Mapped forward(const Scope& s, Var x, Var) const override { return map(s, x, false); }
  Mapped inverse(const Scope& s, Var z, Var) const override { return map(s, z, true); }
  LowPart low_part() const override { return LowPart::used; }

  ParamId started() const override { return started_; }
  void start(const ParamStore& store, const ColumnStats& in, bool inverted) const override {
    const bool f64 = store.dtype() == DType::f64;
    const auto center = [&](int64_t j) {
      if (inverted || std::abs(in.mean[j]) <= kFar * in.spread(j)) return 0.0;
      return f64 ? in.mean[j] : static_cast<double>(static_cast<float>(in.mean[j]));
    };
    write_param(store, center_, center);
    write_param(store, log_scale_, [&](int64_t j) { return (inverted ? 1 : -1) * std::log(in.spread(j)); });
    write_param(store, shift_,
                [&](int64_t j) { return inverted ? in.mean[j] : (center(j) - in.mean[j]) / in.spread(j); });
  }

 private:
  Mapped map(const Scope& s, Var x, bool inverse) const {
    const Var center = s.param(center_);
    const auto scaled = [&](Var v) {
      return affine_low(s.tape, v, s.param(log_scale_), s.param(shift_), nullptr, inverse);
    };
    // Without far columns, the arithmetic and the bits of version 0.1.
    if (!s.tape.measuring && all_zero(center)) return scaled(x);
    const auto moved = [&](Var v) {
      return affine_low(s.tape, v, s.tape.zeros(center->out.shape), center, nullptr, !inverse).y;
    };
    if (!inverse) return scaled(moved(x));
    const Mapped y = scaled(x);
    return {moved(y.y), y.log_det};
  }
  static bool all_zero(Var v) {
    return with_dtype(v->out.dtype, [&]<class T>() {
      const T* p = v->out.as<T>();
      return std::all_of(p, p + v->out.count(), [](T c) { return c == 0; });
    });
  }
  ParamId log_scale_, shift_, center_, started_;
};

}  // namespace

NF_PART(Layer, actnorm, ActNorm,
        "scales and shifts every column; initialized so that the first data come out standardized",
        "Kingma & Dhariwal 2018, Glow, section 3.1", Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
