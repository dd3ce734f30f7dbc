// Levels i step, 0 <= i < L, each with a probability of its own:  log p(x) = sum_j log softmax(h_j)[x_j / step].
#include <cmath>

#include "runtime/op/ops.h"
#include "src/base/base.h"
#include "src/likelihood/levels.h"

namespace libnf {
namespace {

class Categorical final : public LevelsLikelihood {
 public:
  using Config = LevelsConfig;
  Categorical(const Config& c, const Declare& d) : LevelsLikelihood(c, d), columns_(d.columns()) {}

  int64_t outputs() const override { return grid_.levels; }

  Var log_prob(const Scope& s, Var x, Var h) const override {
    Tape& t = s.tape;
    const int64_t n = x->out.shape[0];
    auto* index = t.scratch<int32_t>(n * columns_);
    with_dtype(t.dtype(), [&]<class T>() {
      const auto m = matrix_of<T>(x->out);
      for (int64_t i = 0; i < n * columns_; ++i) {
        const double at = std::round(static_cast<double>(m.row(i / columns_)[i % columns_]) / grid_.step);
        // A row with such a number is outside the support: any index will do.
        index[i] = at >= 0 && at < static_cast<double>(grid_.levels) ? static_cast<int32_t>(at) : 0;
      }
    });
    Var lp = gather_last(t, log_softmax(t, by_column(t, h)), index, 1);
    return add(t, sum_last(t, reshape(t, lp, {n, columns_})), support_of(t, x));
  }

  Var mean(const Scope& s, Var h) const override {
    Tape& t = s.tape;
    Var values = t.empty({grid_.levels});
    with_dtype(t.dtype(), [&]<class T>() {
      for (int64_t i = 0; i < grid_.levels; ++i)
        values->out.as<T>()[i] = static_cast<T>(static_cast<double>(i) * grid_.step);
    });
    return sum_last(t, mul(t, softmax(t, by_column(t, h)), values));
  }

  Var sample(const Scope& s, Var h) const override {
    Tape& t = s.tape;
    const int64_t n = h->out.shape[0];
    Var u = draws(t, n, columns_, [](double v) { return v; });
    Var p = contiguous(t, softmax(t, by_column(t, h))), x = t.empty({n, columns_});
    if (t.measuring) return x;
    with_dtype(t.dtype(), [&]<class T>() {
      const T *w = p->out.as<T>(), *at = u->out.as<T>();
      for (int64_t i = 0; i < n * columns_; ++i, w += grid_.levels) {
        int64_t k = 0;
        for (T sum = w[0]; k + 1 < grid_.levels && at[i] >= sum; sum += w[k]) ++k;
        x->out.as<T>()[i] = static_cast<T>(static_cast<double>(k) * grid_.step);
      }
    });
    return x;
  }

 private:
  // [n, L D] -> [n, D, L]
  Var by_column(Tape& t, Var h) const {
    return contiguous(t,
                      permute(t, reshape(t, contiguous(t, h), {h->out.shape[0], grid_.levels, columns_}), {0, 2, 1}));
  }
  int64_t columns_;
};

}  // namespace

NF_PART(Likelihood, categorical, Categorical, "levels such as pixels or classes, each with a probability of its own",
        "softmax over the levels");

}  // namespace libnf
