// Double exponentials around the decoder's output:  log p(x) = sum_j -|x_j - m_j| e^-l_j - l_j - log 2.
// Log scales l as in gaussian.
#include <cmath>

#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "src/base/base.h"
#include "src/likelihood/scale.h"

namespace libnf {
namespace {

class LaplaceLikelihood final : public Likelihood {
 public:
  using Config = LikelihoodScaleConfig;
  LaplaceLikelihood(const Config& c, const Declare& d) : scale_(c, d) {}

  int64_t outputs() const override { return scale_.outputs(); }
  Var log_prob(const Scope& s, Var x, Var h) const override {
    return laplace_log_prob(s.tape, x, scale_.location(s, h), scale_.log_scale(s, h));
  }
  Var mean(const Scope& s, Var h) const override { return scale_.location(s, h); }
  Var sample(const Scope& s, Var h) const override {
    Var m = scale_.location(s, h);
    Var u = draws(s.tape, m->out.shape[0], m->out.shape[1],
                  [](double v) { return v < 0.5 ? std::log(2 * v) : -std::log(2 * (1 - v)); });
    return located(s.tape, u, m, scale_.log_scale(s, h));
  }

 private:
  LikelihoodScale scale_;
};

}  // namespace

NF_PART(Likelihood, laplace, LaplaceLikelihood, "double exponential numbers around the decoder's output",
        "density of the Laplace distribution");

}  // namespace libnf
