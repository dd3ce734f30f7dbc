// Products and solves with triangular matrices: y = x B and y B = x for every row of x [rows, n], where B [n, n] is
// triangular with row stride ldb. A solve reads only the given triangle of B.
// As in gemm.h, the bits of a row depend only on that row and B, never on the number of rows. The work is half of a
// dense product. A zero on the diagonal gives infinities and NaN.
#pragma once
#include <cstdint>

namespace libnf::kernel {

struct TriangularShape {
  bool upper;         // which half of B is used
  bool unit = false;  // the diagonal is not read and taken as ones
};

// Computes y = x B. Here B must have zeros outside its triangle, and its diagonal must be stored. y must not be x.
template <class T>
void triangular_multiply(bool upper, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* b, int64_t ldb, T* y,
                         int64_t ldy);
// Computes g = x^T y, the gradient of B, in the triangle; elements outside the triangle are unspecified.
template <class T>
void triangular_outer(bool upper, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* y, int64_t ldy, T* g,
                      int64_t ldg);
// Solves y B = x by substitution in blocks. y must not be x.
template <class T>
void triangular_solve(TriangularShape shape, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* b, int64_t ldb,
                      T* y, int64_t ldy);

inline constexpr int64_t kTriangularBlock = 32;

}  // namespace libnf::kernel
