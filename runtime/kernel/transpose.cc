// Transposed copies in squares of 4 x 4 (float32) or 2 x 2 (float64) that stay in registers, in tiles that stay in L1.
// Two rows or two columns are handled as pairs.
#include <algorithm>

#include "runtime/kernel/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/transpose.cc"
#include "runtime/kernel/targets.h"
// foreach_target must come after targets.h, which narrows the list.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR
template <class T>
constexpr int64_t kSquare = 1;
template <class T>
HWY_INLINE void Square(const T* x, int64_t, T* out, int64_t) {
  *out = *x;
}
#else
template <class T>
constexpr int64_t kSquare = 16 / sizeof(T);

HWY_INLINE void Square(const double* x, int64_t ldx, double* out, int64_t ldo) {
  const hn::FixedTag<double, 2> d;
  const auto a = hn::LoadU(d, x), b = hn::LoadU(d, x + ldx);
  hn::StoreU(hn::InterleaveLower(d, a, b), d, out);
  hn::StoreU(hn::InterleaveUpper(d, a, b), d, out + ldo);
}

HWY_INLINE void Square(const float* x, int64_t ldx, float* out, int64_t ldo) {
  const hn::FixedTag<float, 4> d;
  const auto a = hn::LoadU(d, x), b = hn::LoadU(d, x + ldx), c = hn::LoadU(d, x + 2 * ldx),
             e = hn::LoadU(d, x + 3 * ldx);
  const auto ab = hn::InterleaveLower(d, a, b), ce = hn::InterleaveLower(d, c, e);
  const auto ab2 = hn::InterleaveUpper(d, a, b), ce2 = hn::InterleaveUpper(d, c, e);
  hn::StoreU(hn::ConcatLowerLower(d, ce, ab), d, out);
  hn::StoreU(hn::ConcatUpperUpper(d, ce, ab), d, out + ldo);
  hn::StoreU(hn::ConcatLowerLower(d, ce2, ab2), d, out + 2 * ldo);
  hn::StoreU(hn::ConcatUpperUpper(d, ce2, ab2), d, out + 3 * ldo);
}
#endif

// Split and join pairs, for matrices with two columns, as in all 2-D flows. Return the number of finished rows or
// columns.
template <class T>
HWY_INLINE int64_t PairsApart(int64_t rows, const T* x, T* out, int64_t ldo) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t r = 0;
  for (; r + lanes <= rows; r += lanes) {
    hn::Vec<decltype(d)> a, b;
    hn::LoadInterleaved2(d, x + 2 * r, a, b);
    hn::StoreU(a, d, out + r);
    hn::StoreU(b, d, out + ldo + r);
  }
  return r;
}
template <class T>
HWY_INLINE int64_t PairsTogether(int64_t cols, const T* x, int64_t ldx, T* out) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= cols; c += lanes)
    hn::StoreInterleaved2(hn::LoadU(d, x + c), hn::LoadU(d, x + ldx + c), d, out + 2 * c);
  return c;
}

template <class T>
HWY_INLINE void Transpose(int64_t rows, int64_t cols, const T* x, int64_t ldx, T* out, int64_t ldo) {
  if (cols == 2 && ldx == 2) {
    const int64_t done = PairsApart(rows, x, out, ldo);
    x += 2 * done;
    out += done;
    rows -= done;
  } else if (rows == 2 && ldo == 2) {
    const int64_t done = PairsTogether(cols, x, ldx, out);
    x += done;
    out += 2 * done;
    cols -= done;
  }
  constexpr int64_t kTile = 16, kStep = kSquare<T>;
  const int64_t whole_rows = rows - rows % kStep, whole_cols = cols - cols % kStep;
  for (int64_t r0 = 0; r0 < whole_rows; r0 += kTile)
    for (int64_t c0 = 0; c0 < whole_cols; c0 += kTile)
      for (int64_t c = c0; c < std::min(whole_cols, c0 + kTile); c += kStep)
        for (int64_t r = r0; r < std::min(whole_rows, r0 + kTile); r += kStep)
          Square(x + r * ldx + c, ldx, out + c * ldo + r, ldo);
  for (int64_t r = 0; r < whole_rows; ++r)
    for (int64_t c = whole_cols; c < cols; ++c) out[c * ldo + r] = x[r * ldx + c];
  for (int64_t r = whole_rows; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) out[c * ldo + r] = x[r * ldx + c];
}

void TransposeF32(int64_t rows, int64_t cols, const float* x, int64_t ldx, float* out, int64_t ldo) {
  Transpose(rows, cols, x, ldx, out, ldo);
}
void TransposeF64(int64_t rows, int64_t cols, const double* x, int64_t ldx, double* out, int64_t ldo) {
  Transpose(rows, cols, x, ldx, out, ldo);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {
HWY_EXPORT(TransposeF32);
HWY_EXPORT(TransposeF64);

template <>
void transpose<float>(int64_t rows, int64_t cols, const float* x, int64_t ldx, float* out, int64_t ldo) {
  HWY_DYNAMIC_DISPATCH(TransposeF32)(rows, cols, x, ldx, out, ldo);
}
template <>
void transpose<double>(int64_t rows, int64_t cols, const double* x, int64_t ldx, double* out, int64_t ldo) {
  HWY_DYNAMIC_DISPATCH(TransposeF64)(rows, cols, x, ldx, out, ldo);
}

}  // namespace libnf::kernel
#endif
