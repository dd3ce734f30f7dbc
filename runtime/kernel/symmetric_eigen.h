// Eigenvectors and eigenvalues of a symmetric matrix: reflections to tridiagonal form, then implicitly shifted QL steps
// (Golub & Van Loan, section 8.3). Backward stable: errors are a few ULP of the largest eigenvalue. About 4 n^3
// multiply-adds, in Highway.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// Decomposes A = V^T diag(w) V for A [n, n], which is overwritten; rows of v [n, n] are the eigenvectors, in no
// particular order. All of v and w are NaN if an element of A is not finite.
void symmetric_eigen(int64_t n, double* a, double* v, double* w);

}  // namespace libnf::kernel
