// Works on blocks of 32 columns: gemm handles everything outside the diagonal blocks, and the diagonal block of a solve
// is substituted one row of vectors at a time, with the block in cache.
#include "runtime/kernel/triangular.h"

#include <algorithm>

#include "runtime/kernel/gemm.h"
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/triangular.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// y holds -(x - the contribution of earlier blocks), `width` columns; replaces it by the solution of the diagonal
// block.
template <class T>
HWY_INLINE void SolveBlock(TriangularShape shape, int64_t rows, int64_t width, const T* b, int64_t ldb, T* y,
                           int64_t ldy) {
  constexpr int64_t kN = kTriangularBlock;
  const hn::CappedTag<T, kN> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T block[kN * kN] = {};
  HWY_ALIGN T rest[kN] = {};
  T diagonal[kN], solved[kN];
  for (int64_t i = 0; i < width; ++i) {
    diagonal[i] = shape.unit ? T(1) : b[i * ldb + i];
    for (int64_t j = shape.upper ? i + 1 : 0; j < (shape.upper ? width : i); ++j) block[i * kN + j] = b[i * ldb + j];
  }
  for (int64_t r = 0; r < rows; ++r, y += ldy) {
    for (int64_t j = 0; j < width; ++j) rest[j] = -y[j];
    for (int64_t step = 0; step < width; ++step) {
      const int64_t i = shape.upper ? step : width - 1 - step;
      solved[i] = rest[i] / diagonal[i];
      const auto v = hn::Set(d, solved[i]);
      // Finished elements are overwritten with garbage and not read again.
      const int64_t from = shape.upper ? (i + 1) / lanes * lanes : 0, to = shape.upper ? width : i;
      for (int64_t j = from; j < to; j += lanes)
        hn::Store(hn::NegMulAdd(v, hn::Load(d, block + i * kN + j), hn::Load(d, rest + j)), d, rest + j);
    }
    std::copy(solved, solved + width, y);
  }
}

void SolveBlockF32(TriangularShape s, int64_t rows, int64_t width, const float* b, int64_t ldb, float* y, int64_t ldy) {
  SolveBlock(s, rows, width, b, ldb, y, ldy);
}
void SolveBlockF64(TriangularShape s, int64_t rows, int64_t width, const double* b, int64_t ldb, double* y,
                   int64_t ldy) {
  SolveBlock(s, rows, width, b, ldb, y, ldy);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(SolveBlockF32);
HWY_EXPORT(SolveBlockF64);

namespace {

void solve_block(TriangularShape s, int64_t rows, int64_t width, const float* b, int64_t ldb, float* y, int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(SolveBlockF32)(s, rows, width, b, ldb, y, ldy);
}
void solve_block(TriangularShape s, int64_t rows, int64_t width, const double* b, int64_t ldb, double* y, int64_t ldy) {
  HWY_DYNAMIC_DISPATCH(SolveBlockF64)(s, rows, width, b, ldb, y, ldy);
}

// Products use wider strips than solves: gemm is faster on wide strips, and only half of a diagonal strip is wasted.
constexpr int64_t kStrip = 2 * kTriangularBlock;

}  // namespace

template <class T>
void triangular_multiply(bool upper, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* b, int64_t ldb, T* y,
                         int64_t ldy) {
  for (int64_t j = 0; j < n; j += kStrip) {
    const int64_t width = std::min(kStrip, n - j);
    const int64_t first = upper ? 0 : j, last = upper ? j + width : n;
    gemm<T>(rows, width, last - first, x + first, ldx, 1, b + first * ldb + j, ldb, y + j, ldy, Into::overwrite);
  }
}

template <class T>
void triangular_outer(bool upper, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* y, int64_t ldy, T* g,
                      int64_t ldg) {
  for (int64_t j = 0; j < n; j += kStrip) {
    const int64_t width = std::min(kStrip, n - j);
    const int64_t first = upper ? 0 : j, last = upper ? j + width : n;
    gemm<T>(last - first, width, rows, x + first, 1, ldx, y + j, ldy, g + first * ldg + j, ldg, Into::overwrite);
  }
}

template <class T>
void triangular_solve(TriangularShape shape, int64_t rows, int64_t n, const T* x, int64_t ldx, const T* b, int64_t ldb,
                      T* y, int64_t ldy) {
  const int64_t blocks = (n + kTriangularBlock - 1) / kTriangularBlock;
  for (int64_t k = 0; k < blocks; ++k) {
    const int64_t j = (shape.upper ? k : blocks - 1 - k) * kTriangularBlock;
    const int64_t width = std::min(kTriangularBlock, n - j);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < width; ++c) y[r * ldy + j + c] = -x[r * ldx + j + c];
    const int64_t first = shape.upper ? 0 : j + width, last = shape.upper ? j : n;
    if (last > first)
      gemm<T>(rows, width, last - first, y + first, ldy, 1, b + first * ldb + j, ldb, y + j, ldy, Into::accumulate);
    solve_block(shape, rows, width, b + j * ldb + j, ldb, y + j, ldy);
  }
}

#define NF_DEFINE(T)                                                                                            \
  template void triangular_multiply(bool, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t); \
  template void triangular_outer(bool, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t);    \
  template void triangular_solve(TriangularShape, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t);
NF_DEFINE(float)
NF_DEFINE(double)
#undef NF_DEFINE

}  // namespace libnf::kernel
#endif
