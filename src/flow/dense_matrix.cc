#include "src/flow/dense_matrix.h"

#include <cmath>

#include "runtime/kernel/random.h"

namespace libnf {
namespace {
constexpr uint32_t kRotationStream = 0x726f7461;  // separate from the streams of samples and initial values
}

void check_dense(const Declare& d, const char* field) {
  if (d.columns() > kMaxDenseColumns) d.reject(field, "a dense matrix is for at most 4096 columns");
}

// QR by Householder reflections; Q is formed by applying them to the identity in reverse order (Stewart 1980).
std::vector<double> random_rotation(int64_t n, uint64_t seed, uint64_t key) {
  const auto size = static_cast<size_t>(n * n);
  std::vector<double> a(size), q(size, 0.0), v(static_cast<size_t>(n)), dots(static_cast<size_t>(n));
  kernel::normal<double>({seed, kRotationStream}, static_cast<int64_t>(key % (uint64_t{1} << 31)) * kMaxDenseColumns, n,
                         n, a.data(), n);
  std::vector<double> signs(static_cast<size_t>(n), 1.0);
  // m[k:, first:] -= v (2/(v.v)) (v^T m[k:, first:])
  const auto reflect = [&](std::vector<double>& m, int64_t k, int64_t first, double factor) {
    double* w = dots.data();
    for (int64_t c = first; c < n; ++c) w[c] = 0;
    for (int64_t r = k; r < n; ++r)
      for (int64_t c = first; c < n; ++c) w[c] += v[static_cast<size_t>(r)] * m[static_cast<size_t>(r * n + c)];
    for (int64_t r = k; r < n; ++r) {
      const double f = factor * v[static_cast<size_t>(r)];
      for (int64_t c = first; c < n; ++c) m[static_cast<size_t>(r * n + c)] -= f * w[c];
    }
  };
  const auto at = [n](int64_t r, int64_t c) { return static_cast<size_t>(r * n + c); };
  // The vector of step k overwrites column k of a from the diagonal down; its 2/(v.v) goes into `factors`.
  std::vector<double> factors(static_cast<size_t>(n), 0.0);
  for (int64_t k = 0; k < n; ++k) {
    double squares = 0;
    for (int64_t r = k; r < n; ++r) squares += a[at(r, k)] * a[at(r, k)];
    const double norm = std::sqrt(squares), top = a[at(k, k)];
    signs[static_cast<size_t>(k)] = top < 0 ? 1 : -1;  // of R's diagonal: -sign(top) |column|
    if (norm == 0) continue;
    for (int64_t r = k; r < n; ++r) v[static_cast<size_t>(r)] = a[at(r, k)];
    v[static_cast<size_t>(k)] += top < 0 ? -norm : norm;
    factors[static_cast<size_t>(k)] = 1 / (norm * (norm + std::abs(top)));
    reflect(a, k, k + 1, factors[static_cast<size_t>(k)]);
    for (int64_t r = k; r < n; ++r) a[at(r, k)] = v[static_cast<size_t>(r)];
  }
  for (int64_t i = 0; i < n; ++i) q[at(i, i)] = signs[static_cast<size_t>(i)];
  for (int64_t k = n - 1; k >= 0; --k) {
    for (int64_t r = k; r < n; ++r) v[static_cast<size_t>(r)] = a[at(r, k)];
    reflect(q, k, k, factors[static_cast<size_t>(k)]);
  }
  return q;
}

}  // namespace libnf
