// Location-scale families per column: z = loc + exp(log_scale) q(v), with v uniform on (0, 1) and q the quantile function
// of a standard distribution: kQuantile for samples, whose bits are pinned, and kQuantiles, which is accurate to the last
// digits, for quantile().
#pragma once
#include "runtime/op/location_scale.h"
#include "src/base/parameters.h"

namespace libnf {

// kLogProb(tape, z, loc, log_scale) returns the log-densities of the rows, [n].
template <Var (*kLogProb)(Tape&, Var, Var, Var), double (*kQuantile)(double), QuantileKernel kQuantiles>
class LocationScaleBase final : public Base {
 public:
  using Config = ParametersConfig;
  LocationScaleBase(const Config& c, const Declare& d)
      : event_(d.columns()),
        parameters_(c, d, {{"loc", {d.columns()}, Init::zeros()}, {"log_scale", {d.columns()}, Init::zeros()}}) {}
  Var log_prob(const Scope& s, Var z, Var context) const override {
    const auto p = parameters_(s, context);
    return kLogProb(s.tape, z, p[0], p[1]);
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return located(s.tape, draws(s.tape, rows, event_, kQuantile), p[0], p[1]);
  }
  Var temper(const Scope& s, Var z, Var context, double temperature) const override {
    return tempered(s.tape, z, parameters_(s, context)[0], temperature);
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return located(s.tape, quantiles(s.tape, u, rows, event_, kQuantiles), p[0], p[1]);
  }

 private:
  int64_t event_;
  Parameters parameters_;
};

}  // namespace libnf
