// Mixture of diagonal normals with learned weights, means and scales:
//   log p(z) = logsumexp_k (log w_k + sum_j log N(z_j; loc_kj, exp(log_scale_kj))),   w = softmax(logits).
// Sampling chooses a component. Its gradient, including that of the weights, is implicit (runtime/op/mixture.cc).
#include "runtime/op/mixture.h"
#include "src/base/parameters.h"

namespace nf {
namespace {

class GaussianMixture final : public Base {
 public:
  struct Config final : ParametersConfig {
    int64_t components = 8;
    double spread = 1;
    void fields(Fields& f) override {
      f.integer("components", "number of normals in the mixture", components, 1, 1 << 20);
      f.real("spread", "standard deviation of the initial means, drawn from a normal", spread, 0, 1e6);
      ParametersConfig::fields(f);
    }
  };
  GaussianMixture(const Config& c, const Declare& d)
      : event_(d.columns()),
        parameters_(c, d,
                    {{"logits", {c.components}, Init::zeros()},
                     {"loc", {c.components, d.columns()}, Init::gaussian(c.spread)},
                     {"log_scale", {c.components, d.columns()}, Init::zeros()}}) {}
  Var log_prob(const Scope& s, Var z, Var context) const override {
    const auto p = parameters_(s, context);
    return mixture_log_prob(s.tape, z, p[0], p[1], p[2]);
  }
  Var sample(const Scope& s, int64_t rows, Var context) const override {
    const auto p = parameters_(s, context);
    return mixture_sample(s.tape, rows, event_, p[0], p[1], p[2]);
  }

 private:
  int64_t event_;
  Parameters parameters_;
};

}  // namespace

NF_PART(Base, gaussian_mixture, GaussianMixture,
        "mixture of normals, each with a weight and a mean and scale per column",
        "sample gradients: Figurnov et al. 2018, Implicit reparameterization gradients");

}  // namespace nf
