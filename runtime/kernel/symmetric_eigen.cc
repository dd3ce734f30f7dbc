// T = Q^T A Q with Q = H_0 H_1 ..., where H_k = I - beta v v^T clears row k beyond its second element; T = Z^T diag(w)
// Z by QL steps; V = Z Q^T. V starts as Q^T, and each QL step rotates pairs of adjacent rows, from the last pair to the
// first, so a column passes through registers once per step.
#include "runtime/kernel/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/symmetric_eigen.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

using Tag = hn::ScalableTag<double>;
using V = hn::Vec<Tag>;

// Calls body(load, store) for every vector of n elements: load(p) reads at the vector's offset in p, store(v, p)
// writes.
template <class Body>
static HWY_INLINE void EachVector(size_t n, const Body& body) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    body([&](const double* p) HWY_ATTR { return hn::LoadU(d, p + i); },
         [&](V v, double* p) HWY_ATTR { hn::StoreU(v, d, p + i); });
  const size_t rest = n - i;
  if (rest > 0)
    body([&](const double* p) HWY_ATTR { return LoadTail(d, p + i, rest); },
         [&](V v, double* p) HWY_ATTR { StoreTail(v, d, p + i, rest); });
}

static HWY_INLINE double Sum(V v) { return hn::GetLane(hn::SumOfLanes(Tag(), v)); }

static HWY_INLINE double Dot(const double* x, const double* y, size_t n) {
  V sum = hn::Zero(Tag());
  EachVector(n, [&](auto load, auto) HWY_ATTR { sum = hn::MulAdd(load(x), load(y), sum); });
  return Sum(sum);
}

// y += a x
static HWY_INLINE void Axpy(double a, const double* x, double* y, size_t n) {
  const V factor = hn::Set(Tag(), a);
  EachVector(n, [&](auto load, auto store) HWY_ATTR { store(hn::MulAdd(factor, load(x), load(y)), y); });
}

// Computes out[i] = x_i . y for the rows x_i of a matrix, four at a time.
static HWY_INLINE void Dots(const double* x, size_t ld, size_t rows, const double* y, size_t n, double* out) {
  size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const double *x0 = x + i * ld, *x1 = x0 + ld, *x2 = x1 + ld, *x3 = x2 + ld;
    V s0 = hn::Zero(Tag()), s1 = s0, s2 = s0, s3 = s0;
    EachVector(n, [&](auto load, auto) HWY_ATTR {
      const V at = load(y);
      s0 = hn::MulAdd(load(x0), at, s0);
      s1 = hn::MulAdd(load(x1), at, s1);
      s2 = hn::MulAdd(load(x2), at, s2);
      s3 = hn::MulAdd(load(x3), at, s3);
    });
    out[i] = Sum(s0);
    out[i + 1] = Sum(s1);
    out[i + 2] = Sum(s2);
    out[i + 3] = Sum(s3);
  }
  for (; i < rows; ++i) out[i] = Dot(x + i * ld, y, n);
}

// Subtracts x y^T + y x^T from the n rows of A.
static HWY_INLINE void RankTwo(const double* x, const double* y, double* a, size_t ld, size_t n) {
  for (size_t i = 0; i < n; ++i, a += ld) {
    const V xi = hn::Set(Tag(), x[i]), yi = hn::Set(Tag(), y[i]);
    EachVector(n, [&](auto load, auto store)
                      HWY_ATTR { store(hn::NegMulAdd(xi, load(y), hn::NegMulAdd(yi, load(x), load(a))), a); });
  }
}

// Reduces a to tridiagonal T: writes the diagonal of T to w and its off-diagonal below the diagonal of a; v and beta of
// the reflections go to the rest of a's rows and its diagonal.
static void Tridiagonal(size_t n, double* a, double* w, double* scratch) {
  for (size_t k = 0; k < n; ++k) {
    double *row = a + k * n, *x = row + k + 1;
    w[k] = row[k];
    row[k] = 0;
    if (k + 1 == n) break;
    double& beside = a[(k + 1) * n + k];
    const size_t m = n - k - 1;
    const double tail = Dot(x + 1, x + 1, m - 1);
    if (tail == 0) {
      beside = x[0];
      continue;
    }
    const double length = std::sqrt(x[0] * x[0] + tail);
    const double to = x[0] > 0 ? -length : length;
    x[0] -= to;
    const double beta = 2 / (x[0] * x[0] + tail);
    double* trailing = a + (k + 1) * n + k + 1;
    Dots(trailing, n, m, x, m, scratch);
    const double half = beta * beta / 2 * Dot(scratch, x, m);
    for (size_t j = 0; j < m; ++j) scratch[j] = beta * scratch[j] - half * x[j];
    RankTwo(x, scratch, trailing, n, m);
    beside = to;
    row[k] = beta;
  }
}

// Computes v = Q^T from the reflections that Tridiagonal left in a.
static void Accumulate(size_t n, const double* a, double* v) {
  std::fill(v, v + n * n, 0.0);
  for (size_t i = 0; i < n; ++i) v[i * n + i] = 1;
  for (size_t k = n; k-- > 0;) {
    const double beta = a[k * n + k], *x = a + k * n + k + 1;
    if (beta == 0) continue;
    const size_t m = n - k - 1;
    for (size_t i = k + 1; i < n; ++i) {
      double* row = v + i * n + k + 1;
      Axpy(-beta * Dot(row, x, m), x, row, m);
    }
  }
}

// Applies the rotations of adjacent rows to columns of v [rows + 1, n], last pair first, kVectors at a time.
template <size_t kVectors, class Load, class Store>
static HWY_INLINE void RotateColumns(const double* c, const double* s, size_t rows, double* v, size_t n,
                                     const Load& load, const Store& store) {
  V below[kVectors];
  for (size_t j = 0; j < kVectors; ++j) below[j] = load(v + rows * n, j);
  for (size_t i = rows; i-- > 0;) {
    const V ci = hn::Set(Tag(), c[i]), si = hn::Set(Tag(), s[i]);
    for (size_t j = 0; j < kVectors; ++j) {
      const V above = load(v + i * n, j);
      store(hn::MulAdd(si, above, hn::Mul(ci, below[j])), v + (i + 1) * n, j);
      below[j] = hn::NegMulAdd(si, below[j], hn::Mul(ci, above));
    }
  }
  for (size_t j = 0; j < kVectors; ++j) store(below[j], v, j);
}

static void Rotate(const double* c, const double* s, size_t rows, double* v, size_t n) {
  const Tag d;
  const size_t lanes = hn::Lanes(d);
  const auto load = [&](const double* p, size_t j) HWY_ATTR { return hn::LoadU(d, p + j * lanes); };
  const auto store = [&](V x, double* p, size_t j) HWY_ATTR { hn::StoreU(x, d, p + j * lanes); };
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) RotateColumns<4>(c, s, rows, v + i, n, load, store);
  for (; i + lanes <= n; i += lanes) RotateColumns<1>(c, s, rows, v + i, n, load, store);
  const size_t rest = n - i;
  if (rest > 0)
    RotateColumns<1>(
        c, s, rows, v + i, n, [&](const double* p, size_t) HWY_ATTR { return LoadTail(d, p, rest); },
        [&](V x, double* p, size_t) HWY_ATTR { StoreTail(x, d, p, rest); });
}

// Implicit QL on a tridiagonal T. In: w = diagonal, e[0..n-2] = off-diagonal (e[n-1] unused). Out: w = eigenvalues; the
// rotations are also applied to the rows of v. c, s: scratch.
static void Diagonalize(size_t n, double* w, double* e, double* v, double* c, double* s) {
  constexpr double kEps = std::numeric_limits<double>::epsilon();
  constexpr int kMaxSteps = 60;  // per eigenvalue; two are typical
  for (size_t l = 0; l + 1 < n; ++l)
    for (int step = 0; step < kMaxSteps; ++step) {
      size_t m = l;
      while (m + 1 < n && std::abs(e[m]) > kEps * (std::abs(w[m]) + std::abs(w[m + 1]))) ++m;
      if (m == l) break;
      // Wilkinson's shift: the eigenvalue of the first 2 x 2 block that is closer to w[l].
      const double q = (w[l + 1] - w[l]) / (2 * e[l]), root = std::sqrt(q * q + 1);
      double g = w[m] - w[l] + e[l] / (q + (q < 0 ? -root : root));
      double sine = 1, cosine = 1, p = 0;
      size_t first = m;
      while (first > l) {
        const size_t i = first - 1;
        const double f = sine * e[i], b = cosine * e[i], r = std::sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r == 0) break;  // T splits into two blocks
        sine = s[i] = f / r;
        cosine = c[i] = g / r;
        g = w[i + 1] - p;
        const double t = (w[i] - g) * sine + 2 * cosine * b;
        p = sine * t;
        w[i + 1] = g + p;
        g = cosine * t - b;
        first = i;
      }
      w[first] -= p;
      if (first == l) e[l] = g;
      e[m] = 0;
      Rotate(c + first, s + first, m - first, v + first * n, n);
    }
}

void Eigen(size_t n, double* a, double* v, double* w) {
  Tridiagonal(n, a, w, v);
  Accumulate(n, a, v);
  // Reuses a as workspace; only the part below its diagonal is still needed.
  for (size_t k = 0; k + 1 < n; ++k) a[k] = a[(k + 1) * n + k];
  Diagonalize(n, w, a, v, a + n, a + 2 * n - 1);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(Eigen);

void symmetric_eigen(int64_t n, double* a, double* v, double* w) {
  const int64_t size = n * n;
  double largest = 0;
  bool finite = true;
  for (int64_t i = 0; i < size; ++i) {
    const double x = std::abs(a[i]);
    finite &= x <= std::numeric_limits<double>::max();
    largest = std::max(largest, x);
  }
  if (!finite) {
    std::fill_n(v, size, std::numeric_limits<double>::quiet_NaN());
    std::fill_n(w, n, std::numeric_limits<double>::quiet_NaN());
    return;
  }
  // Scales the matrix so that squares of its elements neither overflow nor underflow.
  const int exponent = largest > 0 ? std::clamp(std::ilogb(largest), -1000, 1000) : 0;
  const double down = std::ldexp(1.0, -exponent), up = std::ldexp(1.0, exponent);
  for (int64_t i = 0; i < size; ++i) a[i] *= down;
  HWY_DYNAMIC_DISPATCH(Eigen)(static_cast<size_t>(n), a, v, w);
  for (int64_t i = 0; i < n; ++i) w[i] *= up;
}

}  // namespace libnf::kernel
#endif
