// Normal with a full covariance C = L L^T, L lower triangular with diagonal exp(log_diagonal). Its parameters are
// learned or come from the context, which then gives every row its own mean and covariance:
//   log p(z) = log N(L^-1 (z - loc); 0, 1) - sum_j log_diagonal_j,   z = loc + L eps.
#include "runtime/kernel/quantile.h"
#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "runtime/op/row_triangular.h"
#include "src/base/parameters.h"

namespace libnf {
namespace {

class FullNormal final : public Base {
 public:
  using Config = ParametersConfig;
  FullNormal(const Config& c, const Declare& d) : event_(d.columns()), parameters_(c, d, tensors(d.columns())) {}

  Var log_prob(const Scope& s, Var z, Var context) const override {
    Tape& t = s.tape;
    const auto [loc, log_diagonal, entries] = of(s, context);
    Var diagonal = unary(t, Unary::exp, log_diagonal), moved = sub(t, z, loc);
    if (log_diagonal->out.shape.rank == 1) {
      Var u = triangular_solve(t, Triangle::lower, moved, entries, diagonal);
      return sub(t, normal_log_prob(t, u), sum(t, log_diagonal));
    }
    return sub(t, normal_log_prob(t, row_triangular_solve(t, moved, entries, diagonal)), sum_last(t, log_diagonal));
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    Tape& t = s.tape;
    const auto [loc, log_diagonal, entries] = of(s, context);
    Var diagonal = unary(t, Unary::exp, log_diagonal), eps = standard_normal(t, rows, event_);
    Var turned = log_diagonal->out.shape.rank == 1 ? triangular_product(t, Triangle::lower, eps, entries, diagonal)
                                                   : row_triangular_product(t, eps, entries, diagonal);
    return add(t, turned, loc);
  }
  Var temper(const Scope& s, Var z, Var context, double temperature) const override {
    return tempered(s.tape, z, of(s, context).loc, temperature);
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var context) const override {
    if (event_ > 1) return nullptr;
    const auto [loc, log_diagonal, entries] = of(s, context);
    return located(s.tape, quantiles(s.tape, u, rows, event_, kernel::normal_quantile), loc, log_diagonal);
  }

 private:
  struct Normal {
    Var loc, log_diagonal, entries;  // [d], or [n, d] with one row per row of the context; entries is nullptr for d = 1
  };
  static std::vector<Parameters::Tensor> tensors(int64_t event) {
    std::vector<Parameters::Tensor> all = {{"loc", {event}, Init::zeros()}, {"log_diagonal", {event}, Init::zeros()}};
    if (event > 1)
      all.push_back({"lower", {checked_mul(event, event - 1) / 2}, Init::zeros(), triangle_form(event, false)});
    return all;
  }
  Normal of(const Scope& s, Var context) const {
    const auto p = parameters_(s, context);
    return {p[0], p[1], p[2]};
  }
  int64_t event_;
  Parameters parameters_;
};

}  // namespace

NF_PART(Base, full_normal, FullNormal, "normal with a mean and a full covariance", "");

}  // namespace libnf
