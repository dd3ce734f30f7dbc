// Full affine map: z = L (I + V^T V) x + b, with L lower triangular, its diagonal exp(log_diagonal), and V [k,
// columns]; log_det = sum log_diagonal + log det(I + V V^T), a k x k matrix (determinant lemma). The inverse is a
// substitution and x = y - V^T (I + V V^T)^-1 V y (Woodbury). With k = 0, the default, only the triangle is left, which
// is enough to reach every covariance.
// TFP's Affine is L + V^T D V, which is singular for some L and V: the symmetric part of L need not be positive. Here
// the perturbation is relative to L, so I + V^T V >= I, det >= det L > 0, and no parameter value is singular. The
// lengths of V's rows stand for a diagonal D >= 0. At V = 0 the gradient of V is zero, so V starts small and random.
#include <cmath>

#include "runtime/core/rows.h"
#include "src/flow/dense_matrix.h"

namespace libnf {
namespace {

class Affine final : public Layer {
 public:
  struct Config final : libnf::Config {
    int64_t rank = 0;
    bool bias = true;
    void fields(Fields& f) override {
      f.integer("rank", "rank k of the perturbation of the triangle; 0 = none", rank, 0, kMaxDenseColumns);
      f.flag("bias", "learn b", bias);
    }
  };

  Affine(const Config& c, const Declare& d) {
    check_dense(d, "type");
    const int64_t n = d.columns();
    if (n > 1) lower_ = d.param("lower", {n * (n - 1) / 2}, Init::zeros(), triangle_form(n, false));
    log_diagonal_ = d.param("log_diagonal", {n}, Init::zeros());
    if (c.rank > 0)
      low_rank_ = d.param("low_rank", {c.rank, n}, Init::gaussian(0.1 / std::sqrt(static_cast<double>(n))));
    if (c.bias) bias_ = d.param("bias", {n}, Init::zeros());
  }

  Mapped forward(const Scope& s, Var x, Var) const override {
    Tape& t = s.tape;
    Var y = x, log_det = sum(t, s.param(log_diagonal_));
    if (Var v = s.param(low_rank_)) {
      y = linear_add(t, matmul(t, x, transpose(t, v)), v, nullptr, x);
      log_det = add(t, log_det, slogdet(t, unit_plus_gram(s, v)));
    }
    y = triangular_product(t, Triangle::lower, y, s.param(lower_), diagonal(s));
    return {plus_bias(s, y, s.param(bias_)), for_every_row(s, x, log_det)};
  }
  Mapped inverse(const Scope& s, Var z, Var) const override {
    Tape& t = s.tape;
    Var y = triangular_solve(t, Triangle::lower, minus_bias(s, z, s.param(bias_)), s.param(lower_), diagonal(s));
    Var log_det = for_every_row(s, z, scale(t, sum(t, s.param(log_diagonal_)), -1));
    if (Var v = s.param(low_rank_)) {
      const Mapped w = solve(t, matmul(t, y, transpose(t, v)), unit_plus_gram(s, v));
      y = sub(t, y, matmul(t, w.y, v));
      log_det = add(t, log_det, w.log_det);
    }
    return {y, log_det};
  }

 private:
  Var diagonal(const Scope& s) const { return unary(s.tape, Unary::exp, s.param(log_diagonal_)); }

  // I + V V^T
  static Var unit_plus_gram(const Scope& s, Var v) {
    const int64_t k = v->out.shape[0];
    Var unit = s.tape.zeros({k, k});
    with_dtype(s.tape.dtype(), [&]<class T>() {
      for (int64_t i = 0; i < k; ++i) unit->out.as<T>()[i * k + i] = 1;
    });
    return linear_add(s.tape, v, transpose(s.tape, v), nullptr, unit);
  }

  ParamId lower_ = -1, log_diagonal_ = -1, low_rank_ = -1, bias_ = -1;
};

}  // namespace

NF_PART(
    Layer, affine, Affine, "full affine map: a learned triangular matrix with an optional low-rank perturbation",
    "Dillon et al. 2017, TensorFlow distributions (Affine bijector), with the perturbation relative to the triangle",
    Domain::real, Domain::real, OnImages::per_pixel);

}  // namespace libnf
