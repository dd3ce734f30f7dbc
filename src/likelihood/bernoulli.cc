// Zeros and ones, from logits l:  log p(x) = sum_j x_j l_j - softplus(l_j).
// For a number between 0 and 1 it is the expected log-probability of a bit that is 1 with that probability, which is how
// gray pixels are usually fed to it: a cross entropy, and no density over gray pixels.
#include "runtime/op/ops.h"
#include "runtime/op/support.h"
#include "src/base/base.h"
#include "src/likelihood/likelihood.h"

namespace libnf {
namespace {

class Bernoulli final : public Likelihood {
 public:
  using Config = NoConfig;
  Bernoulli(const Config&, const Declare&) {}

  int64_t outputs() const override { return 1; }
  Var log_prob(const Scope& s, Var x, Var h) const override {
    Tape& t = s.tape;
    Var lp = sub(t, row_dot(t, x, h), sum_last(t, unary(t, Unary::softplus, h, 1)));
    return add(t, lp, row_support(t, x, {0, 1}));
  }
  Var mean(const Scope& s, Var h) const override { return unary(s.tape, Unary::sigmoid, h); }
  // 1 where u < p, u uniform.
  Var sample(const Scope& s, Var h) const override {
    Tape& t = s.tape;
    Var u = draws(t, h->out.shape[0], h->out.shape[1], [](double v) { return v; });
    return unary(t, Unary::relu, unary(t, Unary::sign, sub(t, mean(s, h), u)));
  }
  std::string support() const override { return "numbers in [0, 1]"; }
};

}  // namespace

NF_PART(Likelihood, bernoulli, Bernoulli, "zeros and ones, from logits",
        "Kingma & Welling 2014, Auto-encoding variational Bayes, appendix C.1");

}  // namespace libnf
