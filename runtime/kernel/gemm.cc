// Register-tiled product: a tile of C of MR rows x NV vectors stays in registers while k runs; B is read in place (its
// panel of a few vectors x kBlockK rows fits L1), A is broadcast. Tiles at the right edge load and store under a mask.
#include "runtime/kernel/gemm.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/gemm.cc"
#include "runtime/kernel/targets.h"
// foreach_target must come after targets.h, which narrows the list.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "runtime/kernel/span-inl.h"

#ifndef NF_GEMM_OPERANDS  // this file is read once per target
#define NF_GEMM_OPERANDS
namespace nf::kernel {
template <class T>
struct Operands {
  int64_t k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t ldb;
  T* c;
  int64_t ldc;
  Into into;
  const T* bias;
};
}  // namespace nf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace nf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kBlockK = 256;
// 32 vector registers hold 12 x 2 accumulators with room for B and A; 16 hold 6 x 2. Fewer than 8 independent chains
// would wait for the multiply-add, so rows are cut into full tiles and at most two of the middle size.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileRows = 12, kMidRows = 8;
#else
constexpr int kTileRows = 6, kMidRows = 4;
#endif

// `last`: lanes in use of the last vector; Masked: that is fewer than all.
template <int MR, int NV, bool Masked, class T>
HWY_INLINE void Tile(const Operands<T>& o, int64_t i0, int64_t j0, int64_t last) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto tail = static_cast<size_t>(last);
  const auto load = [&](const T* p, int v)
                        HWY_ATTR { return Masked && v == NV - 1 ? LoadTail(d, p, tail) : hn::LoadU(d, p); };
  hn::Vec<decltype(d)> s[MR][NV];
  for (int i = 0; i < MR; ++i) {
    for (int v = 0; v < NV; ++v) {
      const int64_t j = j0 + v * lanes;
      s[i][v] = o.into == Into::accumulate ? load(o.c + (i0 + i) * o.ldc + j, v)
                : o.into == Into::bias     ? load(o.bias + j, v)
                                           : hn::Zero(d);
    }
  }
  // Four rows to a pointer: base + {0, 1, 2, 3} strides is one address mode each, where a pointer per row would spill.
  constexpr int kGroups = (MR + 3) / 4;
  const T* HWY_RESTRICT a[kGroups];
  for (int g = 0; g < kGroups; ++g) a[g] = o.a + (i0 + 4 * g) * o.a_row;
  const T* HWY_RESTRICT b = o.b + j0;
  const int64_t row = o.a_row, col = o.a_col, ldb = o.ldb, row3 = 3 * row;
  for (int64_t p = o.k; p > 0; --p, b += ldb) {
    hn::Vec<decltype(d)> bv[NV];
    for (int v = 0; v < NV; ++v) bv[v] = load(b + v * lanes, v);
    for (int i = 0; i < MR; ++i) {
      const T* at = a[i / 4];
      const auto av = hn::Set(d, i % 4 == 0 ? at[0] : i % 4 == 1 ? at[row] : i % 4 == 2 ? at[2 * row] : at[row3]);
      for (int v = 0; v < NV; ++v) s[i][v] = hn::MulAdd(av, bv[v], s[i][v]);
    }
    for (int g = 0; g < kGroups; ++g) a[g] += col;
  }
  for (int i = 0; i < MR; ++i) {
    for (int v = 0; v < NV; ++v) {
      T* c = o.c + (i0 + i) * o.ldc + j0 + v * lanes;
      if (Masked && v == NV - 1)
        StoreTail(s[i][v], d, c, tail);
      else
        hn::StoreU(s[i][v], d, c);
    }
  }
}

template <int NV, bool Masked, class T>
HWY_INLINE void Panel(const Operands<T>& o, int64_t m, int64_t j0, int64_t last) {
  int64_t i = 0;
  const int64_t rest = m % kTileRows;
  // 64 rows = 4 x 12 + 2 x 8 rather than 5 x 12 + 4.
  const bool two_mid = rest >= 2 * kMidRows - kTileRows && rest < kMidRows && m >= kTileRows;
  const int64_t full = m - rest - (two_mid ? kTileRows : 0);
  for (; i < full; i += kTileRows) Tile<kTileRows, NV, Masked>(o, i, j0, last);
  for (; i + kMidRows <= m; i += kMidRows) Tile<kMidRows, NV, Masked>(o, i, j0, last);
  for (; i < m; ++i) Tile<1, NV, Masked>(o, i, j0, last);
}

// One row: many columns at once, for enough independent chains to hide the latency of the multiply-add.
template <class T>
HWY_INLINE int64_t OneRow(const Operands<T>& o, int64_t n, int64_t lanes) {
  int64_t j = 0;
  for (; j + 8 * lanes <= n; j += 8 * lanes) Tile<1, 8, false>(o, 0, j, lanes);
  for (; j + 4 * lanes <= n; j += 4 * lanes) Tile<1, 4, false>(o, 0, j, lanes);
  return j;
}

template <class T>
HWY_INLINE void Gemm(int64_t m, int64_t n, Operands<T> o) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t k = o.k;
  int64_t p = 0;
  do {
    o.k = std::min(kBlockK, k - p);
    int64_t j = m == 1 ? OneRow(o, n, lanes) : 0;
    for (; j + 2 * lanes <= n; j += 2 * lanes) Panel<2, false>(o, m, j, lanes);
    const int64_t rest = n - j;
    if (rest > lanes)
      Panel<2, true>(o, m, j, rest - lanes);
    else if (rest == lanes)
      Panel<1, false>(o, m, j, lanes);
    else if (rest > 0)
      Panel<1, true>(o, m, j, rest);
    o.a += o.k * o.a_col;
    o.b += o.k * o.ldb;
    o.into = Into::accumulate;
    p += o.k;
  } while (p < k);
}

void GemmF32(int64_t m, int64_t n, const Operands<float>& o) { Gemm(m, n, o); }
void GemmF64(int64_t m, int64_t n, const Operands<double>& o) { Gemm(m, n, o); }

}  // namespace nf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nf::kernel {
#define NF_GEMM(Name, T)                                                                                           \
  HWY_EXPORT(Name);                                                                                                \
  template <>                                                                                                      \
  void gemm<T>(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb, \
               T* c, int64_t ldc, Into into, const T* bias) {                                                      \
    if (m <= 0 || n <= 0) return;                                                                                  \
    HWY_DYNAMIC_DISPATCH(Name)(m, n, {k, a, a_row, a_col, b, ldb, c, ldc, into, bias});                            \
  }
NF_GEMM(GemmF32, float)
NF_GEMM(GemmF64, double)
#undef NF_GEMM

template <class T>
void transpose(int64_t rows, int64_t cols, const T* x, int64_t ldx, T* out, int64_t ldo) {
  constexpr int64_t kTile = 16;  // a tile of both matrices stays in L1
  for (int64_t r0 = 0; r0 < rows; r0 += kTile)
    for (int64_t c0 = 0; c0 < cols; c0 += kTile)
      for (int64_t c = c0; c < std::min(cols, c0 + kTile); ++c)
        for (int64_t r = r0; r < std::min(rows, r0 + kTile); ++r) out[c * ldo + r] = x[r * ldx + c];
}
template void transpose<float>(int64_t, int64_t, const float*, int64_t, float*, int64_t);
template void transpose<double>(int64_t, int64_t, const double*, int64_t, double*, int64_t);

const char* simd_target() {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // the best one is the lowest bit
}

bool gemm_self_test() {
  // Small integers are exact in any order of summation: row i, column j must be sum_p (i + p)(p - j).
  constexpr int m = 7, n = 37, k = 11;
  float a[m * k], b[k * n], c[m * n];
  for (int i = 0; i < m; ++i)
    for (int p = 0; p < k; ++p) a[i * k + p] = static_cast<float>(i + p);
  for (int p = 0; p < k; ++p)
    for (int j = 0; j < n; ++j) b[p * n + j] = static_cast<float>(p - j);
  gemm<float>(m, n, k, a, k, 1, b, n, c, n, Into::overwrite);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      int want = 0;
      for (int p = 0; p < k; ++p) want += (i + p) * (p - j);
      if (c[i * n + j] != static_cast<float>(want)) return false;
    }
  }
  return true;
}

}  // namespace nf::kernel
#endif
