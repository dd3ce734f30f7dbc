// Mixture of diagonal normals with learned weights, means and scales:
//   log p(z) = logsumexp_k (log w_k + sum_j log N(z_j; loc_kj, exp(log_scale_kj))),   w = softmax(logits).
// Sampling chooses a component. Its gradient, including that of the weights, is implicit (runtime/op/mixture.cc).
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/quantile.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/mixture.h"
#include "runtime/op/ops.h"
#include "runtime/op/per_row.h"
#include "src/base/parameters.h"

namespace libnf {
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
        components_(c.components),
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
  // A component is chosen for all columns of a row together.
  Var temper(const Scope& s, Var z, Var context, double temperature) const override {
    if (components_ > 1) return nullptr;
    Var loc = parameters_(s, context)[1];
    return tempered(s.tape, z, loc->out.shape[0] == 1 ? reshape(s.tape, loc, {event_}) : loc, temperature);
  }
  Var quantile(const Scope& s, const double* u, int64_t rows, Var context) const override {
    if (components_ > 1 && event_ > 1) return nullptr;
    const auto p = parameters_(s, context);
    Var z = s.tape.empty({rows, event_});
    with_dtype(s.tape.dtype(), [&]<class T>() {
      const int64_t all = components_ * event_;
      fill<T>(s.tape, u, per_row<T>(p[0]->out, rows, components_), per_row<T>(p[1]->out, rows, all),
              per_row<T>(p[2]->out, rows, all), z);
    });
    return z;
  }

 private:
  template <class T>
  void fill(Tape& t, const double* u, const Rows<T>& logits, const Rows<T>& loc, const Rows<T>& log_scale,
            Var z) const {
    const int64_t k_all = components_;
    const ScratchScope scope(t);
    double *weight = t.scratch<double>(k_all), *mean = t.scratch<double>(k_all), *deviation = t.scratch<double>(k_all);
    if (t.measuring) return kernel::fill<T>(T(0), z->out.as<T>(), z->out.count());
    T* out = z->out.as<T>();
    for (int64_t r = 0; r < loc.rows; ++r)
      for (int64_t j = 0; j < event_; ++j) {
        for (int64_t k = 0; k < k_all; ++k) {
          weight[k] = static_cast<double>(logits.row(r)[k]);
          mean[k] = static_cast<double>(loc.row(r)[k * event_ + j]);
          deviation[k] = std::exp(static_cast<double>(log_scale.row(r)[k * event_ + j]));
        }
        kernel::softmax<double>(weight, k_all, weight, k_all, 1, k_all);
        *out++ = static_cast<T>(kernel::mixture_quantile(*u++, weight, mean, deviation, k_all));
      }
  }
  int64_t event_, components_;
  Parameters parameters_;
};

}  // namespace

NF_PART(Base, gaussian_mixture, GaussianMixture,
        "mixture of normals, each with a weight and a mean and scale per column",
        "sample gradients: Figurnov et al. 2018, Implicit reparameterization gradients");

}  // namespace libnf
