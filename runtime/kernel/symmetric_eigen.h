// Eigenvectors and eigenvalues of a symmetric matrix by Jacobi's cyclic method (Golub & Van Loan, section 8.5): small,
// and accurate to a few ULP of the largest eigenvalue. O(n^3) per sweep, six to ten sweeps.
#pragma once
#include <cstdint>

namespace nf::kernel {

// A = V^T diag(w) V for A [n, n], which is overwritten; rows of v [n, n] are the eigenvectors. NaN gives NaN.
void symmetric_eigen(int64_t n, double* a, double* v, double* w);

}  // namespace nf::kernel
