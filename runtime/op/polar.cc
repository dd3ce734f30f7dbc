// The orthonormal rows nearest to the m <= d rows of A: the polar factor Q = P^(-1) A, P = (A A^T)^(1/2), which is also
// the limit of the iteration Q <- (I + (I - Q Q^T)/2) Q from A/|A| (van den Berg et al. 2018, eq. 14; Bjorck & Bowie
// 1971). Computed from the eigenvectors of A A^T in float64, followed by a few steps of that iteration: orthonormal to
// a few ULP for condition numbers up to 1e7, and Q itself is accurate to eps times the squared condition number of A.
// Linearly dependent rows have no polar factor; the result is not finite.
// Gradient, exact: with S = gQ Q^T - Q gQ^T and P Y + Y P = S,  gA = P^(-1) gQ (I - Q^T Q) + Y Q.
#include <algorithm>
#include <cmath>
#include <span>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/symmetric_eigen.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/polar.h"
#include "runtime/op/row_matrix.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

struct PolarAttr {
  int64_t m;  // rows of A
};

constexpr int kSteps = 5;          // most steps of the iteration, which squares the error,
constexpr double kSquares = 1e-8;  // so a step from an error below this is the last one

// saved, per matrix: eigenvectors of A A^T [m, m] and square roots of its eigenvalues [m], both in float64.
Shapes shape(const Node& n) {
  const Dims& a = n.in[0]->out.shape;
  const int64_t m = n.attr<PolarAttr>().m, numbers = a.rank > 0 ? a.last() : 0;
  if (a.rank != 2) need_rank(n, 0, 1);
  if (m <= 0 || numbers % m != 0 || numbers / m < m)
    fail(Code::shape, "%s: %lld numbers are not %lld rows of at least as many columns", n.op->name,
         static_cast<long long>(numbers), static_cast<long long>(m));
  Shapes s;
  s.out = a;
  s.saved = {checked_mul(a.rank == 2 ? a[0] : 1, 2 * checked_mul(m, m + 1))};
  s.has_saved = true;
  return s;
}

struct Extents {
  int64_t sets, m, d;
};
Extents extents_of(const Node& n) {
  const Dims& a = n.out.shape;
  const int64_t m = n.attr<PolarAttr>().m;
  return {a.rank == 2 ? a[0] : 1, m, a.last() / m};
}

// Computes c [m, k] = a [m, p] b [p, k], or c += a b.
void product(int64_t m, int64_t k, int64_t p, const double* a, const double* b, double* c, bool accumulate = false) {
  kernel::gemm<double>(m, k, p, a, p, 1, b, k, c, k, accumulate ? kernel::Into::accumulate : kernel::Into::overwrite);
}
// Computes c [m, m] = a b^T, both [m, k]; turned: scratch [k, m].
void product_transposed(int64_t m, int64_t k, const double* a, const double* b, double* c, double* turned) {
  kernel::transpose(m, k, b, k, turned, m);
  product(m, m, k, a, turned, c);
}
// Computes c [m, k] = v^T b, b [m, k].
void transposed_product(int64_t m, int64_t k, const double* v, const double* b, double* c) {
  kernel::gemm<double>(m, k, m, v, 1, m, b, k, c, k, kernel::Into::overwrite);
}
// Computes c = P^-1 = V^T diag(1 / sigma) V; half: scratch. All are [m, m].
void inverse_root(int64_t m, const double* v, const double* sigma, double* c, double* half) {
  for (int64_t i = 0; i < m; ++i) kernel::scale<double>(1 / sigma[i], v + i * m, half + i * m, m);
  transposed_product(m, m, v, half, c);
}

template <class T>
void forward(Tape& t, Node& n) {
  const Extents e = extents_of(n);
  const int64_t m = e.m, d = e.d;
  const auto a_in = last_axis_of<T>(n.view(0)), out = last_axis_of<T>(n.out);
  const ScratchScope scope(t);
  double *a = t.scratch<double>(m * d), *q = t.scratch<double>(m * d), *gram = t.scratch<double>(m * m);
  double *half = t.scratch<double>(m * m), *turned = t.scratch<double>(m * d);
  for (int64_t k = 0; k < e.sets; ++k) {
    double *v = static_cast<double*>(n.saved) + k * m * (m + 1), *sigma = v + m * m;
    for (int64_t i = 0; i < m * d; ++i) a[i] = static_cast<double>(a_in.row(k)[i]);
    product_transposed(m, d, a, a, gram, turned);
    kernel::symmetric_eigen(m, gram, v, sigma);
    for (int64_t i = 0; i < m; ++i) sigma[i] = std::sqrt(sigma[i]);
    inverse_root(m, v, sigma, gram, half);
    product(m, d, m, gram, a, q);
    double off = 1;
    for (int step = 0; step < kSteps && off > kSquares; ++step) {
      product_transposed(m, d, q, q, gram, turned);
      off = 0;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < m; ++j) off = std::max(off, std::abs(gram[i * m + j] - (i == j)));
      if (!(off > 1e-15)) break;
      for (int64_t i = 0; i < m * m; ++i) gram[i] *= -0.5;
      for (int64_t i = 0; i < m; ++i) gram[i * m + i] += 1.5;
      kernel::copy(q, a, m * d);
      product(m, d, m, gram, a, q);
    }
    for (int64_t i = 0; i < m * d; ++i) out.row(k)[i] = static_cast<T>(q[i]);
  }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const Extents e = extents_of(n);
  const int64_t m = e.m, d = e.d;
  const auto q_out = last_axis_of<T>(n.out), g_out = last_axis_of<T>(t.grad_out(n)), ga = last_axis_of<T>(grads.add(0));
  const ScratchScope scope(t);
  double *q = t.scratch<double>(m * d), *g = t.scratch<double>(m * d), *s = t.scratch<double>(m * m);
  double *half = t.scratch<double>(m * m), *y = t.scratch<double>(m * m), *sum = t.scratch<double>(m * d);
  double* turned = t.scratch<double>(m * d);
  for (int64_t k = 0; k < e.sets; ++k) {
    const double *v = static_cast<const double*>(n.saved) + k * m * (m + 1), *sigma = v + m * m;
    for (int64_t i = 0; i < m * d; ++i) q[i] = static_cast<double>(q_out.row(k)[i]);
    for (int64_t i = 0; i < m * d; ++i) g[i] = static_cast<double>(g_out.row(k)[i]);
    product_transposed(m, d, g, q, s, turned);  // gQ Q^T
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < m; ++j) y[i * m + j] = s[i * m + j] - s[j * m + i];
    // Solves for Y in the basis of eigenvectors, where P is diagonal.
    product_transposed(m, m, y, v, half, turned);
    product(m, m, m, v, half, y);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < m; ++j) y[i * m + j] /= sigma[i] + sigma[j];
    product(m, m, m, y, v, half);
    transposed_product(m, m, v, half, y);
    product(m, d, m, y, q, sum);
    kernel::scale<double>(-1, s, s, m * m);
    product(m, d, m, s, q, g, true);  // gQ (I - Q^T Q)
    inverse_root(m, v, sigma, y, half);
    product(m, d, m, y, g, sum, true);
    for (int64_t i = 0; i < m * d; ++i) ga.row(k)[i] += static_cast<T>(sum[i]);
  }
}

// Multiplies B [m, d] of every set by A [m, d] of the same set: B A^T, or B A for B [m, m].
Var set_product(Tape& t, Var b, Var a, int64_t m, bool transposed) {
  const int64_t sets = a->out.shape[0], numbers = a->out.shape[1];
  int32_t* again = t.scratch<int32_t>(m * numbers);
  for (int64_t k = 0; k < m * numbers; ++k) again[k] = static_cast<int32_t>(k % numbers);
  Var each = reshape(t, gather_columns(t, a, again, m * numbers), {sets * m, numbers});
  Var rows = reshape(t, b, {sets * m, b->out.shape[1] / m});
  Var product = row_matrix(t, rows, each, m, !transposed);
  return reshape(t, product, {sets, m * product->out.shape[1]});
}

// The distance of the gram matrix of one set from the identity.
double distance_from_unit(Tape& t, Var gram, int64_t m, int64_t set) {
  return with_dtype(t.dtype(), [&]<class T>() {
    const T* g = gram->y<T>() + set * m * m;
    double off = 0;
    for (int64_t k = 0; k < m * m; ++k)
      off = std::max(off, std::abs(static_cast<double>(g[k]) - (k / m == k % m ? 1 : 0)));
    return off;
  });
}

// The sets that take another step of the iteration: each takes three after it came close to its limit, whatever the
// others need, so that its bits are its own.
class Unsettled {
 public:
  Unsettled(Tape& t, int64_t sets, int64_t m, double settled)
      : tape_(t), m_(m), settled_(settled), left_(t.scratch<int32_t>(sets), static_cast<size_t>(sets)) {
    std::fill(left_.begin(), left_.end(), kAfter);
  }
  // Returns 1 for sets that take this step and 0 for others [sets, 1], or nullptr if there are none.
  Var next(Var gram) {
    Var taken = tape_.zeros({static_cast<int64_t>(left_.size()), 1});
    bool any = tape_.measuring;
    with_dtype(tape_.dtype(), [&]<class T>() {
      for (size_t k = 0; k < left_.size(); ++k) {
        if (left_[k] == 0) continue;
        any = true;
        taken->y<T>()[k] = 1;
        if (distance_from_unit(tape_, gram, m_, static_cast<int64_t>(k)) < settled_) --left_[k];
      }
    });
    return any ? taken : nullptr;
  }

 private:
  static constexpr int32_t kAfter = 3;
  Tape& tape_;
  int64_t m_;
  double settled_;
  std::span<int32_t> left_;
};

// Differentiates the iteration Q <- Q + (I - Q Q^T)/2 Q from A/|A|, recorded until it converges. A step multiplies
// small singular values by 3/2, and near convergence it squares the error, including that of derivatives.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  constexpr int kMost = 60;  // enough for condition numbers of 1e8; a measuring tape makes room for this many
  const Extents e = extents_of(n);
  if (e.sets == 0) return nullptr;
  const double settled = t.dtype() == DType::f64 ? 1e-6 : 1e-3;
  Var a = reshape(t, n.in[0], {e.sets, e.m * e.d});
  Var q = mul(t, a, as_column(t, unary(t, Unary::rsqrt, row_dot(t, a, a))));
  Unsettled unsettled(t, e.sets, e.m, settled);
  for (int step = 0; step < kMost; ++step) {
    Var gram = set_product(t, q, q, e.m, true);
    Var taken = unsettled.next(gram);
    if (!taken) break;
    Var change = scale(t, sub(t, q, set_product(t, gram, q, e.m, false)), 0.5);
    q = add(t, q, mul(t, change, taken));
  }
  return d.of(reshape(t, q, n.out.shape));
}

const Op kPolar = {"polar_rows", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"polar_rows", {{"6"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 2); }},
    {"polar_rows_square", {{"9"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 3); }},
    {"polar_rows_one", {{"n3"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 1); }},
    {"polar_rows_each", {{"n8"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 2); }},
};

}  // namespace

extern const OpFamily family_polar;
const OpFamily family_polar = {"polar", kCases, std::size(kCases)};

Var polar_rows(Tape& t, Var a, int64_t m) { return t.record(kPolar, {a}, PolarAttr{m}); }

}  // namespace libnf
