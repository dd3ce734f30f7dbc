// Counts of mean m and dispersion r:  log p(x) = sum_j log NB(x_j; m_j, r_j), the variance of x_j is m_j + m_j^2 / r_j.
// The decoder gives log m_j and, if it is the one to give it, log r_j after all of them.
#include <cmath>

#include "runtime/kernel/count_draws.h"
#include "runtime/op/counts.h"
#include "runtime/op/ops.h"
#include "runtime/op/support.h"
#include "src/likelihood/scale.h"

namespace libnf {
namespace {

class NegativeBinomial final : public Likelihood {
 public:
  struct Config final : LikelihoodScaleConfig {
    Config() { scale = 10; }
    void fields(Fields& f) override {
      static constexpr const char* kSources[] = {"fixed", "learned", "decoder"};
      f.choice("dispersion_from",
               "where dispersions come from: fixed, one learned number per column, or one per column and row from the "
               "decoder",
               source, kSources);
      f.real("dispersion", "the fixed dispersion, or the initial one; large ones are near Poisson", scale, 1e-6, 1e12);
    }
  };
  NegativeBinomial(const Config& c, const Declare& d) : parameters_(c, d) {}

  int64_t outputs() const override { return parameters_.outputs(); }
  Var log_prob(const Scope& s, Var x, Var h) const override {
    Var lp = negative_binomial_log_prob(s.tape, x, parameters_.location(s, h), parameters_.log_scale(s, h));
    return add(s.tape, lp, row_support(s.tape, x, {0, 0x1p53, 1}));
  }
  Var mean(const Scope& s, Var h) const override { return unary(s.tape, Unary::exp, parameters_.location(s, h)); }
  Var sample(const Scope& s, Var h) const override {
    Tape& t = s.tape;
    Var m = contiguous(t, mean(s, h));
    // [n, d], also where all rows share it
    Var r = unary(t, Unary::exp, contiguous(t, add(t, scale(t, m, 0), parameters_.log_scale(s, h))));
    const kernel::RandomKey key{t.random.seed, t.random.stream++};
    const int64_t d = m->out.shape[1];
    Var x = t.empty(m->out.shape);
    if (t.measuring) return x;
    with_dtype(t.dtype(), [&]<class T>() {
      for (int64_t i = 0; i < m->out.count(); ++i)
        x->out.as<T>()[i] = static_cast<T>(
            kernel::negative_binomial(key, t.random.first_row + i / d, static_cast<uint32_t>(i % d),
                                      static_cast<double>(m->out.as<T>()[i]), static_cast<double>(r->out.as<T>()[i])));
    });
    return x;
  }
  // log(1 + x): counts of any size as numbers that a net can use. Rows outside the support get numbers too.
  Var scaled(const Scope& s, Var x) const override {
    return unary(s.tape, Unary::log1p, unary(s.tape, Unary::relu, x));
  }
  std::string support() const override { return "counts 0, 1, 2, ..."; }

 private:
  LikelihoodScale parameters_;
};

}  // namespace

NF_PART(Likelihood, negative_binomial, NegativeBinomial, "counts that vary more than Poisson's",
        "Lopez et al. 2018, Deep generative modeling for single-cell transcriptomics, eq. 3 (without zero inflation)");

}  // namespace libnf
