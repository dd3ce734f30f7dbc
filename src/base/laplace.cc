// Laplace distribution per column, u = (z - loc) exp(-log_scale):
//   log p(z) = sum_j (-|u_j| - log 2 - log_scale_j),   z = loc - exp(log_scale) sign(w) log(1 - 2|w|), w = v - 1/2.
#include <cmath>

#include "runtime/op/location_scale.h"
#include "src/base/parameters.h"

namespace nf {
namespace {

double quantile(double v) { return v < 0.5 ? std::log(2 * v) : -std::log(2 * (1 - v)); }

class Laplace final : public Base {
 public:
  using Config = ParametersConfig;
  Laplace(const Config& c, const Declare& d)
      : event_(d.event),
        parameters_(c, d, {{"loc", {d.event}, Init::zeros()}, {"log_scale", {d.event}, Init::zeros()}}) {}
  Var log_prob(const Scope& s, Var z, Var context) const override {
    const auto p = parameters_(s, context);
    return laplace_log_prob(s.tape, z, p[0], p[1]);
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

NF_BASE(laplace, Laplace, "Laplace distribution with a location and a scale per column", "");

}  // namespace nf
