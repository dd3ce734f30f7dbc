// Student's t per column with learned degrees of freedom nu = exp(log_dof), u = (z - loc) exp(-log_scale):
//   log p(z) = sum_j (log G((nu+1)/2) - log G(nu/2) - log(pi nu)/2 - (nu+1)/2 log(1 + u_j^2/nu) - log_scale_j), G Gamma;
//   z = loc + exp(log_scale) sqrt(nu (v^(-2/nu) - 1)) cos(2 pi w), v and w uniform: exact, and smooth in nu
#include <cmath>

#include "runtime/op/location_scale.h"
#include "src/base/parameters.h"

namespace nf {
namespace {

class StudentT final : public Base {
 public:
  struct Config final : ParametersConfig {
    double dof = 5;
    void fields(Fields& f) override {
      f.real("dof", "initial degrees of freedom; small values give heavy tails, above 100 it is nearly normal", dof,
             0.01, 1e6);
      ParametersConfig::fields(f);
    }
  };
  StudentT(const Config& c, const Declare& d)
      : event_(d.columns()),
        parameters_(c, d,
                    {{"loc", {d.columns()}, Init::zeros()},
                     {"log_scale", {d.columns()}, Init::zeros()},
                     {"log_dof", {d.columns()}, Init::fill(std::log(c.dof))}}) {}
  Var log_prob(const Scope& s, Var z, Var context) const override {
    const auto p = parameters_(s, context);
    return student_log_prob(s.tape, z, p[0], p[1], p[2]);
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return located(s.tape, student_draws(s.tape, rows, event_, p[2]), p[0], p[1]);
  }

 private:
  int64_t event_;
  Parameters parameters_;
};

}  // namespace

NF_PART(Base, student_t, StudentT, "Student's t with a location, a scale and degrees of freedom per column",
        "Bailey 1994, Polar generation of random variates with the t-distribution");

}  // namespace nf
