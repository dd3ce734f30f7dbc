#include "runtime/kernel/lu.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/triangular.h"

namespace libnf::kernel {
namespace {
constexpr int64_t kPanel = 32;
}

int64_t lu_scratch(int64_t n) { return n * kPanel; }

void lu_factor(int64_t n, double* a, int32_t* pivot, double* scratch) {
  for (int64_t i = 0; i < n; ++i) pivot[i] = static_cast<int32_t>(i);
  for (int64_t k = 0; k < n; k += kPanel) {
    const int64_t end = std::min(n, k + kPanel);
    // Factors the panel [k, n) x [k, end) column by column; row swaps apply to the full width.
    for (int64_t j = k; j < end; ++j) {
      int64_t top = j;
      for (int64_t i = j + 1; i < n; ++i)
        if (std::abs(a[i * n + j]) > std::abs(a[top * n + j])) top = i;
      if (top != j) {
        std::swap_ranges(a + j * n, a + (j + 1) * n, a + top * n);
        std::swap(pivot[j], pivot[top]);
      }
      if (a[j * n + j] == 0) continue;  // all zeros: nothing to eliminate, and the determinant is 0
      for (int64_t i = j + 1; i < n; ++i) {
        const double f = a[i * n + j] /= a[j * n + j];
        for (int64_t c = j + 1; c < end; ++c) a[i * n + c] -= f * a[j * n + c];
      }
    }
    if (end == n) break;
    // Updates the rows of U to the right of the panel, then everything below them: A22 -= L21 U12.
    for (int64_t j = k; j < end; ++j)
      for (int64_t i = j + 1; i < end; ++i) {
        const double f = a[i * n + j];
        for (int64_t c = end; c < n; ++c) a[i * n + c] -= f * a[j * n + c];
      }
    const int64_t width = end - k;
    for (int64_t i = end; i < n; ++i)
      for (int64_t c = 0; c < width; ++c) scratch[(i - end) * width + c] = -a[i * n + k + c];
    gemm<double>(n - end, n - end, width, scratch, width, 1, a + k * n + end, n, a + end * n + end, n,
                 Into::accumulate);
  }
}

double lu_log_abs_det(int64_t n, const double* lu) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::log(std::abs(lu[i * n + i]));
  return sum;
}

// Solves y P^T L U = x: with w = y P^T L, w U = x; with v = y P^T, v L = w; and y[pivot[i]] = v[i].
void lu_solve_rows(int64_t n, const double* lu, const int32_t* pivot, int64_t rows, const double* x, double* y,
                   double* scratch) {
  triangular_solve<double>({true, false}, rows, n, x, n, lu, n, y, n);
  triangular_solve<double>({false, true}, rows, n, y, n, lu, n, scratch, n);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < n; ++i) y[r * n + pivot[i]] = scratch[r * n + i];
}

// Solves y U^T L^T P = x: with v[i] = x[pivot[i]] = (x P^T)[i] and w = y U^T, w L^T = v.
void lu_solve_rows_transposed(int64_t n, const double* lu_t, const int32_t* pivot, int64_t rows, const double* x,
                              double* y, double* scratch) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < n; ++i) y[r * n + i] = x[r * n + pivot[i]];
  triangular_solve<double>({true, true}, rows, n, y, n, lu_t, n, scratch, n);
  triangular_solve<double>({false, false}, rows, n, scratch, n, lu_t, n, y, n);
}

}  // namespace libnf::kernel
