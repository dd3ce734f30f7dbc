// Normal with one mean and one scale per column, learned or from the context:
//   log p(z) = sum_j log N(z_j; loc_j, exp(log_scale_j)),   z = loc + exp(log_scale) * eps.
#include "runtime/kernel/quantile.h"
#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "src/base/parameters.h"

namespace libnf {
namespace {

class DiagonalNormal final : public Base {
 public:
  using Config = ParametersConfig;
  DiagonalNormal(const Config& c, const Declare& d)
      : event_(d.columns()),
        parameters_(c, d, {{"loc", {d.columns()}, Init::zeros()}, {"log_scale", {d.columns()}, Init::zeros()}}) {}
  Var log_prob(const Scope& s, Var z, Var context) const override {
    const auto p = parameters_(s, context);
    return normal_log_prob(s.tape, z, p[0], p[1]);
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return located(s.tape, standard_normal(s.tape, rows, event_), p[0], p[1]);
  }
  Var temper(const Scope& s, Var z, Var context, double temperature) const override {
    return tempered(s.tape, z, parameters_(s, context)[0], temperature);
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return located(s.tape, quantiles(s.tape, u, rows, event_, kernel::normal_quantile), p[0], p[1]);
  }

 private:
  int64_t event_;
  Parameters parameters_;
};

}  // namespace

NF_PART(Base, diagonal_normal, DiagonalNormal, "normal with a mean and a scale per column", "");

}  // namespace libnf
