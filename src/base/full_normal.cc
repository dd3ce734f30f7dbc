// Normal with a full covariance C = L L^T, L lower triangular with diagonal exp(log_diagonal):
//   log p(z) = log N(L^-1 (z - loc); 0, 1) - sum_j log_diagonal_j,   z = loc + L eps.
#include "runtime/op/ops.h"
#include "src/base/base.h"

namespace nf {
namespace {

class FullNormal final : public Base {
 public:
  using Config = NoConfig;
  FullNormal(const Config&, Declare d)
      : event_(d.event),
        loc_(d.param("loc", {d.event}, Init::zeros())),
        log_diagonal_(d.param("log_diagonal", {d.event}, Init::zeros())),
        entries_(d.event > 1 ? d.param("lower", {checked_mul(d.event, d.event - 1) / 2}, Init::zeros()) : -1) {}
  Var log_prob(const Scope& s, Var z, Var) const override {
    Tape& t = s.tape;
    Var u = triangular_solve(t, Triangle::lower, sub(t, z, s.param(loc_)), s.param(entries_), diagonal(s));
    return sub(t, normal_log_prob(t, u), sum(t, s.param(log_diagonal_)));
  }
  Var sample(const Scope& s, int64_t rows, Var) const override {
    Var eps = standard_normal(s.tape, rows, event_);
    return add(s.tape, triangular_product(s.tape, Triangle::lower, eps, s.param(entries_), diagonal(s)), s.param(loc_));
  }

 private:
  Var diagonal(const Scope& s) const { return unary(s.tape, Unary::exp, s.param(log_diagonal_)); }
  int64_t event_;
  ParamId loc_, log_diagonal_, entries_;
};

}  // namespace

NF_BASE(full_normal, FullNormal, "normal with a learned mean and a learned full covariance", "");

}  // namespace nf
