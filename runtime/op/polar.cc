// The orthonormal rows nearest to the m <= d rows of A: the polar factor Q = P^(-1) A, P = (A A^T)^(1/2), which is also
// the limit of the iteration Q <- (I + (I - Q Q^T)/2) Q from A/|A| (van den Berg et al. 2018, eq. 14; Bjorck & Bowie
// 1971). By the eigenvectors of A A^T in float64, then a few steps of that iteration: orthonormal to a few ULP up to
// conditions of 1e7, and Q itself to eps times the square of the condition of A. Rows that depend on each other have
// no polar factor: not finite.
// Gradient, exact: with S = gQ Q^T - Q gQ^T and P Y + Y P = S,  gA = P^(-1) gQ (I - Q^T Q) + Y Q.
#include <algorithm>
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/symmetric_eigen.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/sylvester.h"

namespace nf {
namespace {

constexpr int kSteps = 5;  // of the iteration, at most: it squares the error

// saved, for every matrix: eigenvectors of A A^T [m, m], and roots of its eigenvalues [m], both in float64.
Shapes shape(const Node& n) {
  const Dims& a = n.in[0]->out.shape;
  const int64_t m = n.attr.i[0], numbers = a.rank > 0 ? a.last() : 0;
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
  return {a.rank == 2 ? a[0] : 1, n.attr.i[0], a.last() / n.attr.i[0]};
}

// c [m, k] = a [m, p] b [p, k], or + c.
void product(int64_t m, int64_t k, int64_t p, const double* a, const double* b, double* c, bool accumulate = false) {
  kernel::gemm<double>(m, k, p, a, p, 1, b, k, c, k, accumulate ? kernel::Into::accumulate : kernel::Into::overwrite);
}
// c [m, p] = a [m, k] b^T, b [p, k].
void product_transposed(int64_t m, int64_t p, int64_t k, const double* a, const double* b, double* c) {
  for (int64_t i = 0; i < m; ++i) kernel::row_dot<double>(b, k, a + i * k, 0, p, k, c + i * p);
}
// V^T (f(i, j) M_ij) V with M = V x V^T; M is overwritten, `half` is scratch. All [m, m].
template <class F>
void in_eigenbasis(int64_t m, const double* v, double* x, double* half, const F& f) {
  product_transposed(m, m, m, x, v, half);
  product(m, m, m, v, half, x);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j) x[i * m + j] *= f(i, j);
  product(m, m, m, x, v, half);
  kernel::gemm<double>(m, m, m, v, 1, m, half, m, x, m, kernel::Into::overwrite);
}

template <class T>
void forward(Tape& t, Node& n) {
  const Extents e = extents_of(n);
  const int64_t m = e.m, d = e.d;
  const auto a_in = last_axis_of<T>(n.view(0)), out = last_axis_of<T>(n.out);
  const ScratchScope scope(t);
  double *a = t.scratch<double>(m * d), *q = t.scratch<double>(m * d), *gram = t.scratch<double>(m * m);
  double* half = t.scratch<double>(m * m);
  for (int64_t k = 0; k < e.sets; ++k) {
    double *v = static_cast<double*>(n.saved) + k * m * (m + 1), *sigma = v + m * m;
    for (int64_t i = 0; i < m * d; ++i) a[i] = static_cast<double>(a_in.row(k)[i]);
    product_transposed(m, m, d, a, a, gram);
    kernel::symmetric_eigen(m, gram, v, sigma);
    for (int64_t i = 0; i < m; ++i) sigma[i] = std::sqrt(sigma[i]);
    kernel::fill<double>(0, gram, m * m);
    for (int64_t i = 0; i < m; ++i) gram[i * m + i] = 1;
    in_eigenbasis(m, v, gram, half, [&](int64_t i, int64_t j) { return i == j ? 1 / sigma[i] : 0; });
    product(m, d, m, gram, a, q);
    for (int step = 0; step < kSteps; ++step) {
      product_transposed(m, m, d, q, q, gram);
      double off = 0;
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
void vjp(Tape& t, Node& n) {
  const Extents e = extents_of(n);
  const int64_t m = e.m, d = e.d;
  const auto q_out = last_axis_of<T>(n.out), g_out = last_axis_of<T>(t.grad_out(n)),
             ga = last_axis_of<T>(t.grad(*n.in[0]));
  const ScratchScope scope(t);
  double *q = t.scratch<double>(m * d), *g = t.scratch<double>(m * d), *s = t.scratch<double>(m * m);
  double *half = t.scratch<double>(m * m), *y = t.scratch<double>(m * m), *sum = t.scratch<double>(m * d);
  for (int64_t k = 0; k < e.sets; ++k) {
    const double *v = static_cast<const double*>(n.saved) + k * m * (m + 1), *sigma = v + m * m;
    for (int64_t i = 0; i < m * d; ++i) q[i] = static_cast<double>(q_out.row(k)[i]);
    for (int64_t i = 0; i < m * d; ++i) g[i] = static_cast<double>(g_out.row(k)[i]);
    product_transposed(m, m, d, g, q, s);  // gQ Q^T
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < m; ++j) y[i * m + j] = s[i * m + j] - s[j * m + i];
    in_eigenbasis(m, v, y, half, [&](int64_t i, int64_t j) { return 1 / (sigma[i] + sigma[j]); });
    product(m, d, m, y, q, sum);
    kernel::scale<double>(-1, s, s, m * m);
    product(m, d, m, s, q, g, true);  // gQ (I - Q^T Q)
    kernel::fill<double>(0, y, m * m);
    for (int64_t i = 0; i < m; ++i) y[i * m + i] = 1;
    in_eigenbasis(m, v, y, half, [&](int64_t i, int64_t j) { return i == j ? 1 / sigma[i] : 0; });
    product(m, d, m, y, g, sum, true);
    for (int64_t i = 0; i < m * d; ++i) ga.row(k)[i] += static_cast<T>(sum[i]);
  }
}

const Op kPolar = {"polar_rows", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp)};

const OpCase kCases[] = {
    {"polar_rows", {{"6"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 2); }},
    {"polar_rows_square", {{"9"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 3); }},
    {"polar_rows_one", {{"n3"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 1); }},
    {"polar_rows_each", {{"n8"}}, [](Tape& t, const Var* in) { return polar_rows(t, in[0], 2); }},
};

}  // namespace

extern const OpFamily family_polar;
const OpFamily family_polar = {"polar", kCases, std::size(kCases)};

Var polar_rows(Tape& t, Var a, int64_t m) {
  Attr attr;
  attr.i[0] = m;
  return t.record(kPolar, {a}, attr);
}

}  // namespace nf
