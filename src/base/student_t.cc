// Student's t per column with learned degrees of freedom nu = exp(log_dof), u = (z - loc) exp(-log_scale):
//   log p(z) = sum_j (log G((nu+1)/2) - log G(nu/2) - log(pi nu)/2 - (nu+1)/2 log(1 + u_j^2/nu) - log_scale_j), G Gamma;
//   z = loc + exp(log_scale) sqrt(nu (v^(-2/nu) - 1)) cos(2 pi w), v and w uniform: exact, and smooth in nu
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/quantile.h"
#include "runtime/op/location_scale.h"
#include "runtime/op/per_row.h"
#include "src/base/parameters.h"

namespace libnf {
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
  Var temper(const Scope& s, Var z, Var context, double temperature) const override {
    return tempered(s.tape, z, parameters_(s, context)[0], temperature);
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    Var z = s.tape.empty({rows, event_});
    with_dtype(s.tape.dtype(), [&]<class T>() { fill<T>(s.tape, u, per_row<T>(p[2]->out, rows, event_), z); });
    return located(s.tape, z, p[0], p[1]);
  }

 private:
  template <class T>
  static void fill(Tape& t, const double* u, const Rows<T>& log_dof, Var z) {
    using kernel::StudentQuantile;
    const auto make = [](T v) { return StudentQuantile(student_dof(static_cast<double>(v))); };
    const ScratchScope scope(t);
    // Those of shared degrees of freedom are made once.
    StudentQuantile* shared = log_dof.ld == 0 ? t.scratch<StudentQuantile>(log_dof.cols) : nullptr;
    if (t.measuring) return kernel::fill<T>(T(0), z->out.as<T>(), z->out.count());
    for (int64_t c = 0; shared && c < log_dof.cols; ++c) shared[c] = make(log_dof.p[c]);
    T* out = z->out.as<T>();
    for (int64_t r = 0; r < log_dof.rows; ++r)
      for (int64_t c = 0; c < log_dof.cols; ++c, ++u, ++out)
        *out = static_cast<T>(shared ? shared[c](*u) : make(log_dof.row(r)[c])(*u));
  }
  int64_t event_;
  Parameters parameters_;
};

}  // namespace

NF_PART(Base, student_t, StudentT, "Student's t with a location, a scale and degrees of freedom per column",
        "Bailey 1994, Polar generation of random variates with the t-distribution");

}  // namespace libnf
