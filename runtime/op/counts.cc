// Negative binomial counts of mean m = e^a and r = e^b, in Pascal's form with a real number of failures r:
//   log p(x) = log Gamma(x + r) - log Gamma(r) - log x! + r log(r / (r + m)) + x log(m / (r + m))
//            = h(r) - log x! + x a - (x + r) softplus(a - b)            (h: runtime/kernel/gamma_ratio.h)
//   d/da = x - (x + r) sigmoid(a - b)
//   d/db = r h'(r) + (x + r) sigmoid(a - b) - r softplus(a - b)
// so a large r costs no digits: the limit is Poisson's x a - m - log x!. r is kept within [1e-15, 1e15]. Computed in
// float64, because the terms of large counts cancel. The sum over columns runs in a fixed order.
#include "runtime/op/counts.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/gamma_ratio.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/per_row.h"

namespace libnf {
namespace {

enum { kX, kLogMean, kLogCount };

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  const Dims& x = n.in[kX]->out.shape;
  for (int i : {kLogMean, kLogCount}) need_row_params(n, i, x[0], x[1]);
  Shapes s;
  s.out = {x[0]};
  return s;
}

struct Count {
  Count(double value, double log_mean, double log_count)
      : x(std::isnan(value)               ? value
          : value >= 0 && value <= 0x1p53 ? std::round(value)
                                          : 0),
        a(log_mean),
        b(std::clamp(log_count, -34.5, 34.5)),
        r(std::exp(b)),
        excess(softplus(a - b)) {}
  static double softplus(double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); }
  double log_prob() const {
    return kernel::rising_factorial(r, x).log - kernel::rising_factorial(1, x).log + x * a - (x + r) * excess;
  }
  double share() const { return (x + r) / (1 + std::exp(b - a)); }
  double by_log_mean() const { return x - share(); }
  double by_log_count() const { return kernel::rising_factorial(r, x).slope + share() - r * excess; }
  double x, a, b, r, excess;
};

// f(r, c, Count) for all numbers.
template <class T, class F>
void each_count(const Node& n, F&& f) {
  const auto x = matrix_of<T>(n.view(kX));
  const auto mean = per_row<T>(n.view(kLogMean), x.rows, x.cols), count = per_row<T>(n.view(kLogCount), x.rows, x.cols);
  const auto at = [](const auto& m, int64_t r, int64_t c) { return static_cast<double>(m.row(r)[c]); };
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; ++c) f(r, c, Count(at(x, r, c), at(mean, r, c), at(count, r, c)));
}

template <class T>
void forward(Tape& t, Node& n) {
  const int64_t rows = n.in[kX]->out.shape[0], d = n.in[kX]->out.shape[1];
  const ScratchScope scope(t);
  T* all = t.scratch<T>(checked_mul(rows, d));
  each_count<T>(n, [&](int64_t r, int64_t c, const Count& k) { all[r * d + c] = static_cast<T>(k.log_prob()); });
  kernel::row_sum<T>(all, d, rows, d, n.y<T>());
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const int64_t rows = n.in[kX]->out.shape[0], d = n.in[kX]->out.shape[1];
  const T* g = t.grad_out(n).template as<T>();
  const auto target = [&](int i) { return grads.wants(i) ? per_row<T>(grads.add(i), rows, d) : Rows<T>{}; };
  const auto mean = target(kLogMean), count = target(kLogCount);
  each_count<T>(n, [&](int64_t r, int64_t c, const Count& k) {
    if (mean.p) mean.row(r)[c] += g[r] * static_cast<T>(k.by_log_mean());
    if (count.p) count.row(r)[c] += g[r] * static_cast<T>(k.by_log_count());
  });
}

const Op kNegativeBinomial = {"negative_binomial_log_prob",
                              Layout::rows,
                              shape,
                              NF_BOTH(forward),
                              NF_BOTH(vjp),
                              "the second derivatives of its gamma functions are not implemented"};

const OpCase kCases[] = {
    {"negative_binomial",
     {{"nd", Domain::integer, false}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) { return negative_binomial_log_prob(t, in[0], in[1], in[2]); },
     false},
    {"negative_binomial_per_row",
     {{"nd", Domain::integer, false}, {"nd"}, {"nd"}},
     [](Tape& t, const Var* in) { return negative_binomial_log_prob(t, scale(t, in[0], 40), in[1], in[2]); },
     false},
};

}  // namespace

extern const OpFamily family_counts;
const OpFamily family_counts = {"counts", kCases, std::size(kCases)};

Var negative_binomial_log_prob(Tape& t, Var x, Var log_mean, Var log_count) {
  return t.record(kNegativeBinomial, {x, log_mean, log_count});
}

}  // namespace libnf
