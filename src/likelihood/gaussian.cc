// Normals around the decoder's output:  log p(x) = sum_j log N(x_j; m_j, e^(2 l_j)).
// log deviations l: "fixed", one "learned" number per column for all rows, or "decoder", which gives one per column of
// every row.
#include <cmath>

#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "src/base/base.h"
#include "src/likelihood/scale.h"

namespace libnf {
namespace {

class Gaussian final : public Likelihood {
 public:
  using Config = LikelihoodScaleConfig;
  Gaussian(const Config& c, const Declare& d) : scale_(c, d) {}

  int64_t outputs() const override { return scale_.outputs(); }
  Var log_prob(const Scope& s, Var x, Var h) const override {
    return normal_log_prob(s.tape, x, scale_.location(s, h), scale_.log_scale(s, h));
  }
  Var mean(const Scope& s, Var h) const override { return scale_.location(s, h); }
  Var sample(const Scope& s, Var h) const override {
    Var m = scale_.location(s, h), u = standard_normal(s.tape, m->out.shape[0], m->out.shape[1]);
    return located(s.tape, u, m, scale_.log_scale(s, h));
  }

 private:
  LikelihoodScale scale_;
};

}  // namespace

NF_PART(Likelihood, gaussian, Gaussian, "normal numbers around the decoder's output",
        "Kingma & Welling 2014, Auto-encoding variational Bayes, appendix C.2");

}  // namespace libnf
