// Products and solves with triangular matrices, rows of vectors at a time: y = x B and y B = x for every row of
// x [rows, n], B [n, n] triangular with rows ldb apart. A solve reads the named triangle of B only.
// As in gemm.h, the bits of a row depend on that row and B only, never on the number of rows. Work: half of a dense
// product. A zero on the diagonal gives infinities and NaN.
#pragma once
#include <cstdint>

namespace nf::kernel {

struct TriangularShape {
  bool upper;         // which half of B is used
  bool unit = false;  // the diagonal is not read and counts as ones
};

// y = x B. Here B must hold zeros outside of its triangle, and its diagonal must be there. y may not be x.
template <class T>
void triangular_multiply(bool upper, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* b, int64_t ldb, T* y,
                         int64_t ldy);
// g = x^T y, the gradient of B, in the triangle; outside of it g gets anything.
template <class T>
void triangular_outer(bool upper, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* y, int64_t ldy, T* g,
                      int64_t ldg);
// y with y B = x, by substitution in blocks. y may not be x.
template <class T>
void triangular_solve(TriangularShape shape, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* b, int64_t ldb,
                      T* y, int64_t ldy);

inline constexpr int64_t kTriangularBlock = 32;

}  // namespace nf::kernel
