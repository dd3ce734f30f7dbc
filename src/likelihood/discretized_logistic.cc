// Levels i step, 0 <= i < L, as cells of a mixture of K logistic distributions on (0, 1):
//   p(i) = sum_k w_k [F_k((i + 1)/L) - F_k(i/L)],  F_k(v) = sigmoid((v - m_k) e^-l_k),
// where the first cell reaches to -infinity and the last to infinity. With b and a the arguments at the upper and lower
// end and d = b - a,
//   log(sigmoid(b) - sigmoid(a)) = log sigmoid(b) + log sigmoid(-a) + log(1 - e^-d),
// in which nothing cancels. The first cell has the first term only, the last cell the second.
// The decoder gives K groups of (m, l) and, if K > 1, K logits of w. Its zero means m = 1/2, l = log(1/8).
#include <cmath>

#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "src/base/base.h"
#include "src/likelihood/levels.h"

namespace libnf {
namespace {

class DiscretizedLogistic final : public LevelsLikelihood {
 public:
  struct Config final : LevelsConfig {
    int64_t components = 1;
    void fields(Fields& f) override {
      LevelsConfig::fields(f);
      f.integer("components", "number of logistic distributions in the mixture of a column", components, 1, 256);
    }
  };
  DiscretizedLogistic(const Config& c, const Declare& d)
      : LevelsLikelihood(c, d), columns_(d.columns()), components_(c.components) {}

  int64_t outputs() const override { return components_ == 1 ? 2 : 3 * components_; }

  Var log_prob(const Scope& s, Var x, Var h) const override {
    Tape& t = s.tape;
    const auto levels = static_cast<double>(grid_.levels);
    Var level = scale(t, x, 1 / grid_.step);
    // 1, but 0 in the first or the last cell.
    Var not_first = unary(t, Unary::relu, unary(t, Unary::sign, add_scalar(t, level, -0.5)));
    Var not_last = unary(t, Unary::relu, unary(t, Unary::sign, add_scalar(t, scale(t, level, -1), levels - 1.5)));
    Var all = nullptr;  // [n, K D]
    for (int64_t k = 0; k < components_; ++k) {
      Var l = log_scale(t, h, k), inverse = unary(t, Unary::exp, scale(t, l, -1));
      Var a = mul(t, sub(t, scale(t, level, 1 / levels), location(t, h, k)), inverse),
          d = scale(t, inverse, 1 / levels);
      Var below = unary(t, Unary::log_sigmoid, add(t, a, d)), above = unary(t, Unary::log_sigmoid, scale(t, a, -1));
      Var width = unary(t, Unary::log, scale(t, unary(t, Unary::expm1, scale(t, d, -1)), -1));
      Var lp = add(t, mul(t, not_last, below), mul(t, not_first, add(t, above, mul(t, not_last, width))));
      all = all ? concat_columns(t, all, lp) : lp;
    }
    if (components_ > 1) {
      Var weights = log_softmax(t, by_column(t, logits(t, h)));
      all = logsumexp(t, add(t, by_column(t, all), weights));
    }
    return add(t, sum_last(t, all), support_of(t, x));
  }

  // Of the logistic distributions, kept within the levels.
  Var mean(const Scope& s, Var h) const override {
    Tape& t = s.tape;
    Var m = location(t, h, 0);
    if (components_ > 1) {
      Var all = m;
      for (int64_t k = 1; k < components_; ++k) all = concat_columns(t, all, location(t, h, k));
      m = sum_last(t, mul(t, softmax(t, by_column(t, logits(t, h))), by_column(t, all)));
    }
    Var inside = unary(t, Unary::relu, m);  // max(0, m), then min(1, .)
    inside = add_scalar(t, scale(t, unary(t, Unary::relu, add_scalar(t, scale(t, inside, -1), 1)), -1), 1);
    return scale(t, inside, top());
  }

  Var sample(const Scope& s, Var h) const override {
    Tape& t = s.tape;
    const int64_t n = h->out.shape[0];
    Var m = location(t, h, 0), l = log_scale(t, h, 0);
    if (components_ > 1) {
      Var u = draws(t, n, columns_, [](double v) { return v; });
      Var weights = contiguous(t, softmax(t, by_column(t, logits(t, h))));
      m = t.empty({n, columns_}), l = t.empty({n, columns_});
      with_dtype(t.dtype(), [&]<class T>() { choose<T>(t, h, u, weights, m, l); });
    }
    Var u = draws(t, n, columns_, [](double v) { return std::log(v) - std::log1p(-v); });
    return level_of(t, located(t, u, m, l));
  }

 private:
  static constexpr double kStart = -2.0794415416798357;  // log(1/8)
  Var location(Tape& t, Var h, int64_t k) const {
    return add_scalar(t, slice_columns(t, h, 2 * k * columns_, columns_), 0.5);
  }
  Var log_scale(Tape& t, Var h, int64_t k) const {
    return add_scalar(t, slice_columns(t, h, (2 * k + 1) * columns_, columns_), kStart);
  }
  Var logits(Tape& t, Var h) const { return slice_columns(t, h, 2 * components_ * columns_, components_ * columns_); }
  // [n, K D] -> [n, D, K]
  Var by_column(Tape& t, Var v) const {
    return contiguous(t, permute(t, reshape(t, contiguous(t, v), {v->out.shape[0], components_, columns_}), {0, 2, 1}));
  }
  // Takes the component in whose share of the weights u falls.
  template <class T>
  void choose(Tape& t, Var h, Var u, Var weights, Var m, Var l) const {
    if (t.measuring) {
      location(t, h, 0), log_scale(t, h, 0);
      return;
    }
    const T *w = weights->out.as<T>(), *at = u->out.as<T>();
    const auto rows = matrix_of<T>(h->out);
    for (int64_t i = 0; i < rows.rows * columns_; ++i, w += components_) {
      int64_t k = 0;
      for (T sum = w[0]; k + 1 < components_ && at[i] >= sum; sum += w[k]) ++k;
      const T* row = rows.row(i / columns_) + 2 * k * columns_ + i % columns_;
      m->out.as<T>()[i] = row[0] + T(0.5);
      l->out.as<T>()[i] = row[columns_] + static_cast<T>(kStart);
    }
  }
  int64_t columns_, components_;
};

}  // namespace

NF_PART(Likelihood, discretized_logistic, DiscretizedLogistic,
        "levels such as pixels, as cells of a mixture of logistic distributions",
        "Salimans et al. 2017, PixelCNN++, section 2.1; one component: Kingma et al. 2016, section 5.3");

}  // namespace libnf
