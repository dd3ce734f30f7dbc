// Normal with one learned mean and one learned scale per column:
//   log p(z) = sum_j log N(z_j; loc_j, exp(log_scale_j)),   z = loc + exp(log_scale) * eps.
#include "runtime/op/ops.h"
#include "src/base/base.h"

namespace nf {
namespace {

class DiagonalNormal final : public Base {
 public:
  using Config = NoConfig;
  DiagonalNormal(const Config&, Declare d)
      : event_(d.event),
        loc_(d.param("loc", {d.event}, Init::zeros())),
        log_scale_(d.param("log_scale", {d.event}, Init::zeros())) {}
  Var log_prob(const Scope& s, Var z, Var) const override {
    return normal_log_prob(s.tape, z, s.param(loc_), s.param(log_scale_));
  }
  Var sample(const Scope& s, int64_t rows, Var) const override {
    Var eps = standard_normal(s.tape, rows, event_);
    return affine(s.tape, eps, s.param(log_scale_), s.param(loc_), false);
  }

 private:
  int64_t event_;
  ParamId loc_, log_scale_;
};

}  // namespace

NF_BASE(diagonal_normal, DiagonalNormal, "normal with a learned mean and scale per column", "");

}  // namespace nf
