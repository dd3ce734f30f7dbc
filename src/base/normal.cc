// Standard normal: log p(z) = -|z|^2/2 - D log(2 pi)/2.
#include "runtime/kernel/quantile.h"
#include "runtime/op/ops.h"
#include "src/base/base.h"

namespace libnf {
namespace {

class Normal final : public Base {
 public:
  using Config = NoConfig;
  Normal(const Config&, const Declare& d) : event_(d.columns()) {}
  Var log_prob(const Scope& s, Var z, Var) const override { return normal_log_prob(s.tape, z); }
  Var sample(const Scope& s, int64_t rows, Var) const override { return standard_normal(s.tape, rows, event_); }
  Var temper(const Scope& s, Var z, Var, double temperature) const override { return scale(s.tape, z, temperature); }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var) const override {
    return quantiles(s.tape, u, rows, event_, kernel::normal_quantile);
  }

 private:
  int64_t event_;
};

}  // namespace

NF_PART(Base, normal, Normal, "standard normal", "");

}  // namespace libnf
