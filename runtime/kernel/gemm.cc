// Register-tiled product: a tile of C of MR rows x NV vectors stays in registers while k runs; A is broadcast. A panel
// of B (NV vectors x kBlockK rows) stays in L1. It is read in place, or copied to contiguous memory if its rows are so
// far apart that they would conflict in the cache, or start in the middle of cache lines, or end inside a vector. Tiles
// at the right edge use masked loads and stores.
//
// In a large product that order would reread all of A for every panel of B, from L3 or memory. With scratch memory the
// loops are swapped: a block of B is copied to the scratch memory and stays in L2 while the rows of tiles pass along it
// one at a time, with their rows of A in L1. Rows of a transposed A are copied to the stack first, because in place
// each of their elements would be on another memory page.
#include "runtime/kernel/gemm.h"

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/gemm.cc"
#include "runtime/kernel/targets.h"
// foreach_target must come after targets.h, which narrows the list.
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

#ifndef NF_GEMM_OPERANDS  // this file is read once per target
#define NF_GEMM_OPERANDS
namespace libnf::kernel {
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
  Finish<T> finish;
  T* scratch;
};
constexpr int64_t kBlockK = 256;        // rows of B in a block of k, at most
constexpr int64_t kStackBytes = 32768;  // size of the copy of a panel of B on the stack
constexpr int64_t kBlockBytes = 2048;   // bytes per row of a block of B in scratch memory
constexpr int64_t kPanelBytes = 512;    // bytes per row of a panel, two vectors, on any target
constexpr int64_t kShortK = 64;         // one block of k, without scratch memory, on any target
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 32 vector registers hold 12 x 2 accumulators plus B and A; 16 hold 6 x 2. Fewer than 8 independent chains would stall
// on the latency of the multiply-add, so rows are split into full tiles and at most two of the middle size.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileRows = 12, kMidRows = 8;
#else
constexpr int kTileRows = 6, kMidRows = 4;
#endif

// `last`: number of used lanes in the last vector; Masked: fewer than all. Packed: B is a copy of whole vectors. Far: B
// is in L2 instead of L1, and the next tile is the one to the right; prefetch for both.
template <int MR, int NV, bool Masked, bool Packed = false, bool Far = false, class T>
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
                : o.into == Into::row_bias ? hn::Set(d, o.bias[i0 + i])
                                           : hn::Zero(d);
    }
  }
  constexpr int64_t kLine = 64 / sizeof(T), kRowsAhead = 8;
  if (Far) {
    for (int i = 0; i < MR; ++i)
      for (int64_t j = 0; j < NV * lanes; j += kLine) hwy::Prefetch(o.c + (i0 + i) * o.ldc + j0 + NV * lanes + j);
  }
  // Four rows per pointer: base + {0, 1, 2, 3} strides are single address modes, where a pointer per row would spill.
  constexpr int kGroups = (MR + 3) / 4;
  const T* HWY_RESTRICT a[kGroups];
  for (int g = 0; g < kGroups; ++g) a[g] = o.a + (i0 + 4 * g) * o.a_row;
  const T* HWY_RESTRICT b = o.b;
  const int64_t row = o.a_row, col = o.a_col, ldb = o.ldb, row3 = 3 * row;
  for (int64_t p = o.k; p > 0; --p, b += ldb) {
    hn::Vec<decltype(d)> bv[NV];
    if (Far)
      for (int64_t j = 0; j < NV * lanes; j += kLine) hwy::Prefetch(b + kRowsAhead * ldb + j);
    for (int v = 0; v < NV; ++v) bv[v] = Packed ? hn::Load(d, b + v * lanes) : load(b + v * lanes, v);
    for (int i = 0; i < MR; ++i) {
      const T* at = a[i / 4];
      const auto av = hn::Set(d, i % 4 == 0 ? at[0] : i % 4 == 1 ? at[row] : i % 4 == 2 ? at[2 * row] : at[row3]);
      for (int v = 0; v < NV; ++v) s[i][v] = hn::MulAdd(av, bv[v], s[i][v]);
    }
    for (int g = 0; g < kGroups; ++g) a[g] += col;
  }
  if (o.finish.add) {
    for (int i = 0; i < MR; ++i)
      for (int v = 0; v < NV; ++v)
        s[i][v] = hn::Add(s[i][v], load(o.finish.add + (i0 + i) * o.finish.ld_add + j0 + v * lanes, v));
  }
  if (o.finish.relu) {
    for (int i = 0; i < MR; ++i)
      for (int v = 0; v < NV; ++v) s[i][v] = AtLeast(d, s[i][v], 0);
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

// Splits m rows into tiles and calls tile(number of rows, first row).
template <class F>
HWY_INLINE void ForTiles(int64_t m, const F& tile) {
  int64_t i = 0;
  const int64_t rest = m % kTileRows;
  // E.g. 64 rows = 4 x 12 + 2 x 8 instead of 5 x 12 + 4.
  const bool two_mid = rest >= 2 * kMidRows - kTileRows && rest < kMidRows && m >= kTileRows;
  const int64_t full = m - rest - (two_mid ? kTileRows : 0);
  for (; i < full; i += kTileRows) tile(std::integral_constant<int, kTileRows>(), i);
  for (; i + kMidRows <= m; i += kMidRows) tile(std::integral_constant<int, kMidRows>(), i);
  for (; i < m; ++i) tile(std::integral_constant<int, 1>(), i);
}

template <int NV, bool Masked, bool Packed, class T>
HWY_INLINE void Tiles(const Operands<T>& o, int64_t m, int64_t j0, int64_t last) {
  ForTiles(m, [&](auto rows, int64_t i) HWY_ATTR { Tile<rows(), NV, Masked, Packed>(o, i, j0, last); });
}

// Computes columns [j0, j0 + NV vectors) of C, with `last` lanes in the last vector.
template <int NV, bool Masked, class T>
HWY_INLINE void Panel(Operands<T> o, int64_t m, int64_t j0, int64_t last) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int64_t kFarApart = 1024;    // distance between rows of B, in bytes
  constexpr int64_t kWorthCopying = 24;  // number of rows that read the copy
  o.b += j0;
  const bool read_in_place = !Masked && o.ldb % lanes == 0 && o.ldb * static_cast<int64_t>(sizeof(T)) < kFarApart;
  if (read_in_place || m < kWorthCopying) return Tiles<NV, Masked, false>(o, m, j0, last);
  HWY_ALIGN T copy[kStackBytes / sizeof(T)];
  for (int64_t p = 0; p < o.k; ++p) {
    const T* from = o.b + p * o.ldb;
    T* to = copy + p * NV * lanes;
    for (int v = 0; v < NV; ++v)
      hn::Store(Masked && v == NV - 1 ? LoadTail(d, from + v * lanes, static_cast<size_t>(last))
                                      : hn::LoadU(d, from + v * lanes),
                d, to + v * lanes);
  }
  o.b = copy;
  o.ldb = NV * lanes;
  Tiles<NV, Masked, true>(o, m, j0, last);
}

// For few rows: processes many columns at once, so that there are enough independent chains to hide the latency of the
// multiply-add. Returns the first remaining column.
template <class T>
HWY_INLINE int64_t FewRows(Operands<T> o, int64_t m, int64_t n, int64_t lanes) {
  int64_t j = 0;
  for (; j + 8 * lanes <= n; j += 8 * lanes, o.b += 8 * lanes)
    for (int64_t i = 0; i < m; ++i) Tile<1, 8, false>(o, i, j, lanes);
  for (; j + 4 * lanes <= n; j += 4 * lanes, o.b += 4 * lanes)
    for (int64_t i = 0; i < m; ++i) Tile<1, 4, false>(o, i, j, lanes);
  return j;
}

// Products with up to kNarrow columns (the output layers of 2-D flows) would leave most lanes of a tile unused.
constexpr int64_t kNarrow = 4, kNarrowK = 512;

// For a transposed A: vectors run over rows of C instead, since their elements of A are adjacent. The chain over k is
// the same. `last`: number of used lanes in the last vector; Masked: fewer than all.
template <int N, int V, bool Masked, class T>
HWY_INLINE void NarrowTile(const Operands<T>& o, int64_t i, int64_t last) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T column[HWY_MAX_BYTES / sizeof(T)] = {};
  const auto in_use = [&](int v) HWY_ATTR { return Masked && v == V - 1 ? last : lanes; };
  const auto load = [&](const T* p, int v) HWY_ATTR {
    return Masked && v == V - 1 ? LoadTail(d, p, static_cast<size_t>(last)) : hn::LoadU(d, p);
  };
  const bool run = N == 1 && o.ldc == 1;  // a column of C without gaps
  hn::Vec<decltype(d)> s[V][N];
  for (int v = 0; v < V; ++v) {
    const int64_t row = i + v * lanes;
    if (o.into == Into::row_bias || (run && o.into == Into::accumulate)) {
      const auto from = load((o.into == Into::row_bias ? o.bias : o.c) + row, v);
      for (int j = 0; j < N; ++j) s[v][j] = from;
      continue;
    }
    for (int j = 0; j < N; ++j) {
      if (o.into == Into::accumulate) {
        const T* c = o.c + row * o.ldc + j;
        for (int64_t r = 0; r < in_use(v); ++r) column[r] = c[r * o.ldc];
      }
      s[v][j] = o.into == Into::bias ? hn::Set(d, o.bias[j]) : hn::Load(d, column);
    }
  }
  const T* a = o.a + i;
  const T* b = o.b;
  for (int64_t p = o.k; p > 0; --p, a += o.a_col, b += o.ldb) {
    for (int v = 0; v < V; ++v) {
      const auto av = load(a + v * lanes, v);
      for (int j = 0; j < N; ++j) s[v][j] = hn::MulAdd(av, hn::Set(d, b[j]), s[v][j]);
    }
  }
  for (int v = 0; v < V; ++v) {
    if (run) {
      T* c = o.c + i + v * lanes;
      if (Masked && v == V - 1)
        StoreTail(s[v][0], d, c, static_cast<size_t>(last));
      else
        hn::StoreU(s[v][0], d, c);
      continue;
    }
    for (int j = 0; j < N; ++j) {
      hn::Store(s[v][j], d, column);
      T* c = o.c + (i + v * lanes) * o.ldc + j;
      for (int64_t r = 0; r < in_use(v); ++r) c[r * o.ldc] = column[r];
    }
  }
}

// Processes several vectors at once, so that there are enough independent chains to hide the multiply-add latency.
template <int N, class T>
HWY_INLINE void NarrowTransposed(const Operands<T>& o, int64_t m) {
  constexpr int kWide = N == 1 ? 4 : 2;
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + kWide * lanes <= m; i += kWide * lanes) NarrowTile<N, kWide, false>(o, i, lanes);
  if constexpr (kWide == 4) {
    if (m - i > 3 * lanes) return NarrowTile<N, 4, true>(o, i, m - i - 3 * lanes);
    if (m - i > 2 * lanes) return NarrowTile<N, 3, true>(o, i, m - i - 2 * lanes);
  }
  if (m - i > lanes) return NarrowTile<N, 2, true>(o, i, m - i - lanes);
  if (m > i) NarrowTile<N, 1, true>(o, i, m - i);
}

// For contiguous rows of A and k <= kNarrowK: dot products with the columns of B, which are gathered once. The sum over
// lanes comes last, in an order that depends only on k.
template <int N, class T>
HWY_INLINE void NarrowDots(const Operands<T>& o, int64_t m) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T bt[N][kNarrowK];
  for (int64_t p = 0; p < o.k; ++p)
    for (int j = 0; j < N; ++j) bt[j][p] = o.b[p * o.ldb + j];
  const int64_t whole = o.k / lanes * lanes;
  const auto tail = static_cast<size_t>(o.k - whole);
  for (int64_t i = 0; i < m; ++i) {
    const T* a = o.a + i * o.a_row;
    T* c = o.c + i * o.ldc;
    hn::Vec<decltype(d)> s[N];
    for (int j = 0; j < N; ++j) s[j] = hn::Zero(d);
    for (int64_t p = 0; p < whole; p += lanes) {
      const auto av = hn::LoadU(d, a + p);
      for (int j = 0; j < N; ++j) s[j] = hn::MulAdd(av, hn::Load(d, bt[j] + p), s[j]);
    }
    if (tail) {
      const auto av = LoadTail(d, a + whole, tail);
      for (int j = 0; j < N; ++j) s[j] = hn::MulAdd(av, LoadTail(d, bt[j] + whole, tail), s[j]);
    }
    for (int j = 0; j < N; ++j) {
      const T sum = hn::GetLane(hn::SumOfLanes(d, s[j]));
      c[j] = o.into == Into::overwrite  ? sum
             : o.into == Into::bias     ? o.bias[j] + sum
             : o.into == Into::row_bias ? o.bias[i] + sum
                                        : c[j] + sum;
    }
  }
}

#undef NF_NARROW_ROWS  // defined once per target
#if HWY_TARGET != HWY_SCALAR && !HWY_HAVE_SCALABLE
#define NF_NARROW_ROWS 1
#else
#define NF_NARROW_ROWS 0
#endif
#if NF_NARROW_ROWS
// A vector of 16-byte blocks, block b from row(step b).
template <class D, class F>
HWY_INLINE hn::Vec<D> LoadBlocks(D d, const F& row, int64_t first, int64_t step) {
  constexpr int64_t kBlocks = static_cast<int64_t>(hn::MaxLanes(d) * sizeof(hn::TFromD<D>) / 16);
  if constexpr (kBlocks == 1) {
    return hn::LoadU(d, row(first));
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, LoadBlocks(half, row, first + kBlocks / 2 * step, step), LoadBlocks(half, row, first, step));
  }
}

// out[j]: element j of one vector's worth of rows, from 16 bytes of each.
template <class D, class F>
HWY_INLINE void LoadTurned(D d, const F& row, hn::Vec<D> (&out)[4], float) {
  const hn::RepartitionToWide<D> wide;
  hn::Vec<D> v[4];
  for (int i = 0; i < 4; ++i) v[i] = LoadBlocks(d, row, i, 4);
  const auto a = hn::BitCast(wide, hn::InterleaveLower(d, v[0], v[1])),
             b = hn::BitCast(wide, hn::InterleaveLower(d, v[2], v[3])),
             c = hn::BitCast(wide, hn::InterleaveUpper(d, v[0], v[1])),
             e = hn::BitCast(wide, hn::InterleaveUpper(d, v[2], v[3]));
  out[0] = hn::BitCast(d, hn::InterleaveLower(wide, a, b));
  out[1] = hn::BitCast(d, hn::InterleaveUpper(wide, a, b));
  out[2] = hn::BitCast(d, hn::InterleaveLower(wide, c, e));
  out[3] = hn::BitCast(d, hn::InterleaveUpper(wide, c, e));
}
template <class D, class F>
HWY_INLINE void LoadTurned(D d, const F& row, hn::Vec<D> (&out)[2], double) {
  const auto a = LoadBlocks(d, row, 0, 2), b = LoadBlocks(d, row, 1, 2);
  out[0] = hn::InterleaveLower(d, a, b);
  out[1] = hn::InterleaveUpper(d, a, b);
}

// Rows of A contiguous: as NarrowTile, after squares of A are turned in registers. `last`: rows in use of the vector.
template <int N, bool Masked, class T>
HWY_INLINE void RowsTile(const Operands<T>& o, int64_t i, int64_t last) {
  const hn::ScalableTag<T> d;
  constexpr int64_t kStep = 16 / sizeof(T);
  const int64_t rows = Masked ? last : static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T column[HWY_MAX_BYTES / sizeof(T)] = {};
  const bool run = !Masked && N == 1 && o.ldc == 1;
  hn::Vec<decltype(d)> s[N];
  for (int j = 0; j < N; ++j) {
    if (o.into == Into::overwrite) {
      s[j] = hn::Zero(d);
    } else if (o.into == Into::bias) {
      s[j] = hn::Set(d, o.bias[j]);
    } else if (run) {
      s[j] = hn::LoadU(d, (o.into == Into::row_bias ? o.bias : o.c) + i);
    } else {
      for (int64_t r = 0; r < rows; ++r)
        column[r] = o.into == Into::row_bias ? o.bias[i + r] : o.c[(i + r) * o.ldc + j];
      s[j] = hn::Load(d, column);
    }
  }
  const T* b = o.b;
  int64_t p = 0;
  const T* a = o.a + i * o.a_row;
  const int64_t stride = o.a_row;
  for (; p + kStep <= o.k; p += kStep, a += kStep) {
    hn::Vec<decltype(d)> av[kStep];
    // Rows that are not there are read from the last one.
    LoadTurned(
        d, [&](int64_t r) HWY_ATTR { return a + (Masked ? std::min(r, last - 1) : r) * stride; }, av, T());
    for (int64_t q = 0; q < kStep; ++q, b += o.ldb)
      for (int j = 0; j < N; ++j) s[j] = hn::MulAdd(av[q], hn::Set(d, b[j]), s[j]);
  }
  for (; p < o.k; ++p, ++a, b += o.ldb) {
    for (int64_t r = 0; r < rows; ++r) column[r] = a[r * stride];
    const auto av = hn::Load(d, column);
    for (int j = 0; j < N; ++j) s[j] = hn::MulAdd(av, hn::Set(d, b[j]), s[j]);
  }
  for (int j = 0; j < N; ++j) {
    if (run) {
      hn::StoreU(s[j], d, o.c + i);
      continue;
    }
    hn::Store(s[j], d, column);
    for (int64_t r = 0; r < rows; ++r) o.c[(i + r) * o.ldc + j] = column[r];
  }
}

template <int N, class T>
HWY_INLINE void NarrowRows(const Operands<T>& o, int64_t m) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= m; i += lanes) RowsTile<N, false>(o, i, lanes);
  if (i < m) RowsTile<N, true>(o, i, m - i);
}
#endif

// Returns true if it computed the product. The method depends on n, k and the layout of A, but not on m. OneChain
// allows only the method that agrees bit for bit with the wide products.
template <bool OneChain, class T>
HWY_INLINE bool Narrow(int64_t m, int64_t n, const Operands<T>& o) {
  if (n > kNarrow || o.k < 2) return false;
  const bool transposed = o.a_row == 1 && (OneChain || o.a_col != 1);
  const auto run = [&](auto columns) HWY_ATTR {
    if (transposed) return NarrowTransposed<columns()>(o, m);
#if NF_NARROW_ROWS
    if (OneChain) return NarrowRows<columns()>(o, m);
#endif
    NarrowDots<columns()>(o, m);
  };
  if (!transposed && (OneChain ? !NF_NARROW_ROWS || o.a_col != 1 : o.a_col != 1 || o.k > kNarrowK)) return false;
  switch (n) {
    case 1:
      run(std::integral_constant<int, 1>());
      break;
    case 2:
      run(std::integral_constant<int, 2>());
      break;
    case 3:
      run(std::integral_constant<int, 3>());
      break;
    default:
      run(std::integral_constant<int, 4>());
      break;
  }
  return true;
}

template <class T>
HWY_INLINE void FinishNarrow(int64_t m, int64_t n, const Operands<T>& o) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T& c = o.c[i * o.ldc + j];
      if (o.finish.add) c += o.finish.add[i * o.finish.ld_add + j];
      if (o.finish.relu && c < 0) c = 0;
    }
  }
}

// Computes MR rows of C from row i0, columns [j0, j0 + n). `b`: the copy of these columns of B, panel by panel.
template <int MR, class T>
HWY_INLINE void RowOfTiles(Operands<T> o, int64_t i0, int64_t j0, int64_t n, const T* b) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), panel = 2 * lanes;
  HWY_ALIGN T copy[MR * kBlockK];
  const T* below = o.a + i0 + MR;  // the rows that the next row of tiles will copy
  const int64_t step = o.a_col;
  int64_t share = 0;  // amount of it to prefetch per tile
  if (MR > 1 && o.a_row == 1) {
    const T* from = o.a + i0;
    const hn::CappedTag<T, 16 / sizeof(T)> few;
    constexpr int kFew = static_cast<int>(hn::MaxLanes(few)), kWhole = MR / kFew * kFew;
    for (int64_t p = 0; p < o.k; ++p, from += step) {
      for (int r = 0; r < kWhole; r += kFew) hn::StoreU(hn::LoadU(few, from + r), few, copy + p * MR + r);
      for (int r = kWhole; r < MR; ++r) copy[p * MR + r] = from[r];
    }
    o.a = copy - i0;
    o.a_col = MR;
    share = o.k * panel / n + 1;
  }
  o.ldb = panel;
  const int64_t end = j0 + n;
  int64_t j = j0;
  for (; j + panel <= end; j += panel, b += o.k * panel) {
    for (int64_t r = 0; r < share; ++r, below += step) hwy::Prefetch(below);
    o.b = b;
    Tile<MR, 2, false, true, true>(o, i0, j, lanes);
  }
  o.b = b;
  if (end - j > lanes)
    Tile<MR, 2, true, true>(o, i0, j, end - j - lanes);
  else if (end - j == lanes)
    Tile<MR, 1, false, true>(o, i0, j, lanes);
  else if (end > j)
    Tile<MR, 1, true, true>(o, i0, j, end - j);
}

// Processes one block of k by blocks of columns, through scratch memory.
template <class T>
HWY_NOINLINE void Blocks(const Operands<T>& o, int64_t m, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), panel = 2 * lanes;
  constexpr int64_t kWidth = kBlockBytes / sizeof(T);
  for (int64_t j0 = 0; j0 < n; j0 += kWidth) {
    const int64_t width = std::min(kWidth, n - j0);
    for (int64_t p = 0; p < o.k; ++p) {
      const T* from = o.b + p * o.ldb + j0;
      T* to = o.scratch + p * panel;
      for (int64_t j = 0; j < width; j += panel, to += o.k * panel) {
        for (int64_t v = j; v < std::min(width, j + panel); v += lanes)
          hn::StoreU(
              v + lanes <= width ? hn::LoadU(d, from + v) : LoadTail(d, from + v, static_cast<size_t>(width - v)), d,
              to + v - j);
      }
    }
    ForTiles(m, [&](auto rows, int64_t i)
                    HWY_ATTR { RowOfTiles<rows()>(o, i, j0, width, static_cast<const T*>(o.scratch)); });
  }
}

// Processes one block of k, panel by panel.
template <class T>
HWY_NOINLINE void Panels(const Operands<T>& o, int64_t m, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = m < 4 ? FewRows(o, m, n, lanes) : 0;
  for (; j + 2 * lanes <= n; j += 2 * lanes) Panel<2, false>(o, m, j, lanes);
  const int64_t rest = n - j;
  if (rest > lanes)
    Panel<2, true>(o, m, j, rest - lanes);
  else if (rest == lanes)
    Panel<1, false>(o, m, j, lanes);
  else if (rest > 0)
    Panel<1, true>(o, m, j, rest);
}

template <class T>
HWY_NOINLINE void Wide(int64_t m, int64_t n, Operands<T> o) {
  const Finish<T> finish = o.finish;
  const hn::ScalableTag<T> d;
  const bool blocks = o.scratch && gemm_scratch<T>(m, n, o.k) > 0;
  const int64_t k = o.k, panel_bytes = static_cast<int64_t>(2 * hn::Lanes(d) * sizeof(T));
  const int64_t block_k = blocks ? kBlockK : std::min(kBlockK, kStackBytes / panel_bytes);  // fewer with long vectors
  int64_t p = 0;
  do {
    o.k = std::min(block_k, k - p);
    o.finish = p + o.k < k ? Finish<T>{} : finish;
    if (blocks)
      Blocks(o, m, n);
    else
      Panels(o, m, n);
    o.a += o.k * o.a_col;
    o.b += o.k * o.ldb;
    o.into = Into::accumulate;
    p += o.k;
  } while (p < k);
}

template <bool OneChain, class T>
HWY_INLINE void Gemm(int64_t m, int64_t n, const Operands<T>& o) {
  if (!Narrow<OneChain>(m, n, o)) return o.k <= kShortK ? Panels(o, m, n) : Wide(m, n, o);
  if (o.finish.add || o.finish.relu) FinishNarrow(m, n, o);
}

void GemmF32(int64_t m, int64_t n, const Operands<float>& o) { Gemm<false>(m, n, o); }
void GemmF64(int64_t m, int64_t n, const Operands<double>& o) { Gemm<false>(m, n, o); }
void ColumnsF32(int64_t m, int64_t n, const Operands<float>& o) { Gemm<true>(m, n, o); }
void ColumnsF64(int64_t m, int64_t n, const Operands<double>& o) { Gemm<true>(m, n, o); }

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

template <class T>
int64_t gemm_scratch(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kSize = sizeof(T);
  // Below these sizes the panel order is as fast (tests/bench/gemm_bench.cc).
  constexpr int64_t kRows = 512, kRowBytes = 1024, kDepth = 128;
  if (m < kRows || n < kRowBytes / kSize || k < kDepth) return 0;
  const int64_t row = n < kBlockBytes / kSize ? (n * kSize + kPanelBytes - 1) / kPanelBytes * kPanelBytes : kBlockBytes;
  return std::min(k, kBlockK) * (row / kSize);
}
template int64_t gemm_scratch<float>(int64_t, int64_t, int64_t);
template int64_t gemm_scratch<double>(int64_t, int64_t, int64_t);

#define NF_GEMM(function, Name, T)                                                                                     \
  HWY_EXPORT(Name);                                                                                                    \
  template <>                                                                                                          \
  void function<T>(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb, \
                   T* c, int64_t ldc, Into into, const T* bias, const Finish<T>& finish, T* scratch) {                 \
    if (m <= 0 || n <= 0) return;                                                                                      \
    HWY_DYNAMIC_DISPATCH(Name)(m, n, {k, a, a_row, a_col, b, ldb, c, ldc, into, bias, finish, scratch});               \
  }
NF_GEMM(gemm, GemmF32, float)
NF_GEMM(gemm, GemmF64, double)
NF_GEMM(gemm_columns, ColumnsF32, float)
NF_GEMM(gemm_columns, ColumnsF64, double)
#undef NF_GEMM

const char* simd_target() {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // the lowest bit is the best target
}

bool gemm_self_test() {
  // Small integers are exact in any order of summation; row i, column j must be sum_p (i + p)(p - j).
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

}  // namespace libnf::kernel
#endif
