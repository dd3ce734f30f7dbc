#include "runtime/kernel/symmetric_eigen.h"

#include <cmath>

namespace nf::kernel {
namespace {

constexpr int kMaxSweeps = 40;

// x <- c x - s y, y <- s x + c y.
void rotate(double c, double s, double* __restrict x, double* __restrict y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double a = x[i], b = y[i];
    x[i] = c * a - s * b;
    y[i] = s * a + c * b;
  }
}

}  // namespace

void symmetric_eigen(int64_t n, double* a, double* v, double* w) {
  for (int64_t i = 0; i < n * n; ++i) v[i] = 0;
  for (int64_t i = 0; i < n; ++i) v[i * n + i] = 1;
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    bool rotated = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        const double apq = a[p * n + q], app = a[p * n + p], aqq = a[q * n + q];
        if (!(apq * apq > 1e-34 * std::abs(app) * std::abs(aqq))) continue;  // NaN rests as it is
        rotated = true;
        const double theta = (aqq - app) / (2 * apq);
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        rotate(c, s, a + p * n, a + q * n, n);
        for (int64_t i = 0; i < n; ++i) {  // the columns, by symmetry
          a[i * n + p] = a[p * n + i];
          a[i * n + q] = a[q * n + i];
        }
        a[p * n + p] = app - t * apq;
        a[q * n + q] = aqq + t * apq;
        a[p * n + q] = a[q * n + p] = 0;
        rotate(c, s, v + p * n, v + q * n, n);
      }
    if (!rotated) break;
  }
  for (int64_t i = 0; i < n; ++i) w[i] = a[i * n + i];
}

}  // namespace nf::kernel
