// LU factors of a dense matrix with partial pivoting, in float64, with solves and determinants.
//   A = P^T L U: row pivot[i] of A is row i of L U; L is unit lower, U upper triangular.
// Blocked (Golub & Van Loan, Matrix computations, section 3.4.6), so most of the work is gemm. Total: a matrix that is
// singular or not finite gives factors with zeros, infinities or NaN, and no read out of bounds.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// Replaces a [n, n] by L (below the diagonal) and U; scratch has lu_scratch(n) elements.
void lu_factor(int64_t n, double* a, int32_t* pivot, double* scratch);
int64_t lu_scratch(int64_t n);
// Returns log |det A|; -inf if a pivot is 0.
double lu_log_abs_det(int64_t n, const double* lu);
// Solves y A = x for every row of x [rows, n]; all contiguous, y must not be x. scratch: rows x n.
void lu_solve_rows(int64_t n, const double* lu, const int32_t* pivot, int64_t rows, const double* x, double* y,
                   double* scratch);
// Solves y A^T = x, from the transposed factors lu_t.
void lu_solve_rows_transposed(int64_t n, const double* lu_t, const int32_t* pivot, int64_t rows, const double* x,
                              double* y, double* scratch);

}  // namespace libnf::kernel
