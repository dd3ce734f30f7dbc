// Logistic distribution per column, u = (z - loc) exp(-log_scale), F(u) = 1/(1 + e^-u):
//   log p(z) = sum_j (-|u_j| - 2 log(1 + e^-|u_j|) - log_scale_j),   z = loc + exp(log_scale) log(v/(1 - v)), v uniform.
#include <cmath>

#include "runtime/op/location_scale.h"
#include "src/base/parameters.h"

namespace nf {
namespace {

double quantile(double v) { return std::log(v) - std::log1p(-v); }

class Logistic final : public Base {
 public:
  using Config = ParametersConfig;
  Logistic(const Config& c, const Declare& d)
      : event_(d.event),
        parameters_(c, d, {{"loc", {d.event}, Init::zeros()}, {"log_scale", {d.event}, Init::zeros()}}) {}
  Var log_prob(const Scope& s, Var z, Var context) const override {
    const auto p = parameters_(s, context);
    return logistic_log_prob(s.tape, z, p[0], p[1]);
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return located(s.tape, draws(s.tape, rows, event_, quantile), p[0], p[1]);
  }

 private:
  int64_t event_;
  Parameters parameters_;
};

}  // namespace

NF_BASE(logistic, Logistic, "logistic distribution with a location and a scale per column", "");

}  // namespace nf
