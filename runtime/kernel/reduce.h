// Reductions over the rows and columns of a row-major matrix [rows, cols] whose rows are ld elements apart.
// The order of summation within a row depends only on cols and the SIMD target; over rows it is row order. So a row's
// result never depends on other rows or on alignment. Sums run in T, pairwise over a few SIMD accumulators.
// Empty rows: sum, dot = 0; max, logsumexp = -inf. NaN in a row makes that row's results NaN.
#pragma once
#include <cstdint>

namespace libnf::kernel {

template <class T>
void row_sum(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out);  // out[r] = sum_c x
template <class T>
void row_max(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out);  // out[r] = max_c x
template <class T>
void row_logsumexp(const T* x, int64_t ld, int64_t rows, int64_t cols,
                   T* out);  // out[r] = log sum_c e^x, shifted by max
template <class T>
void row_dot(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows, int64_t cols,
             T* out);  // out[r] = sum_c x y

// Computes the softmax and log softmax of each row; x == y is allowed if ldx == ldy. A row of only -inf gives NaN.
template <class T>
void softmax(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t cols);
template <class T>
void log_softmax(const T* x, int64_t ldx, T* y, int64_t ldy, int64_t rows, int64_t cols);
// Add their gradients, from the output y: gx += y (gy - <gy, y>), and gx += gy - e^y sum gy.
template <class T>
void softmax_grad(const T* y, int64_t ldy, const T* gy, int64_t ldgy, T* gx, int64_t ldgx, int64_t rows, int64_t cols);
template <class T>
void log_softmax_grad(const T* y, int64_t ldy, const T* gy, int64_t ldgy, T* gx, int64_t ldgx, int64_t rows,
                      int64_t cols);

template <class T>
void col_sum_add(const T* x, int64_t ld, int64_t rows, int64_t cols, T* out);  // out[c] += sum_r x, in row order
template <class T>
void col_dot_add(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows, int64_t cols,
                 T* out);  // out[c] += sum_r x y, in row order

template <class T>
double sum_squares(const T* x, int64_t n);  // in double, the same order and bits on every SIMD target
template <class T>
bool all_finite(const T* x, int64_t n);
template <class T>
int64_t first_nonfinite_row(const T* x, int64_t ld, int64_t rows, int64_t cols);  // -1 when all are finite

}  // namespace libnf::kernel
