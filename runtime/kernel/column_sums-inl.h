// Sums over the rows of a matrix for every column, in row order, in the type A of the sums. Narrow matrices keep a few
// columns in registers while the rows go by; wide ones are read row by row, with the sums in L1. Included once per SIMD
// target.
#if defined(NF_KERNEL_COLUMN_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_COLUMN_SUMS_INL_H_
#undef NF_KERNEL_COLUMN_SUMS_INL_H_
#else
#define NF_KERNEL_COLUMN_SUMS_INL_H_
#endif

#include "runtime/core/rows.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A vector of D from numbers of its type, or of float for double.
template <class D, class T>
HWY_INLINE hn::Vec<D> LoadAs(D d, const T* p) {
  if constexpr (std::is_same_v<T, hn::TFromD<D>>)
    return hn::LoadU(d, p);
  else
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>(), p));
}

// Rows of weight 0 are no part of a sum; nullptr: all are.
HWY_INLINE bool Counts(const double* weight, int64_t r) { return !weight || weight[r] > 0; }

// kStrip vectors of columns from c: f(d, s, s2, x...) adds a row to one vector of either sum; out2 may be nullptr.
template <int kStrip, class D, class F, class A, class... X>
HWY_INLINE void SumStrip(D d, const F& f, const double* weight, int64_t rows, int64_t c, A* out, A* out2,
                         const X&... x) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto load = [&](const A* p, int i)
                        HWY_ATTR { return p && i < kStrip ? hn::LoadU(d, p + c + i * lanes) : hn::Zero(d); };
  const auto store = [&](hn::Vec<D> s, A* p, int i) HWY_ATTR {
    if (p && i < kStrip) hn::StoreU(s, d, p + c + i * lanes);
  };
  auto s0 = load(out, 0), s1 = load(out, 1), s2 = load(out, 2);
  auto t0 = load(out2, 0), t1 = load(out2, 1), t2 = load(out2, 2);
  for (int64_t r = 0; r < rows; ++r) {
    if (!Counts(weight, r)) continue;
    f(d, s0, t0, LoadAs(d, x.row(r) + c)...);
    if constexpr (kStrip > 1) f(d, s1, t1, LoadAs(d, x.row(r) + c + lanes)...);
    if constexpr (kStrip > 2) f(d, s2, t2, LoadAs(d, x.row(r) + c + 2 * lanes)...);
  }
  store(s0, out, 0), store(s1, out, 1), store(s2, out, 2);
  store(t0, out2, 0), store(t1, out2, 1), store(t2, out2, 2);
}

// All columns of [c, cols) that vectors of D cover, in strips; moves c.
template <class D, class F, class A, class... X>
HWY_INLINE void SumStrips(D d, const F& f, const double* weight, int64_t rows, int64_t& c, int64_t cols, A* out,
                          A* out2, const X&... x) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; c + 3 * lanes <= cols; c += 3 * lanes) SumStrip<3>(d, f, weight, rows, c, out, out2, x...);
  if (c + 2 * lanes <= cols) SumStrip<2>(d, f, weight, rows, c, out, out2, x...), c += 2 * lanes;
  if (c + lanes <= cols) SumStrip<1>(d, f, weight, rows, c, out, out2, x...), c += lanes;
}

// The same of one row, with the sums in memory.
template <class D, class F, class A, class... X>
HWY_INLINE void AddRow(D d, const F& f, int64_t& c, int64_t cols, A* out, A* out2, const X*... x) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; c + lanes <= cols; c += lanes) {
    auto s = hn::LoadU(d, out + c), t = out2 ? hn::LoadU(d, out2 + c) : hn::Zero(d);
    f(d, s, t, LoadAs(d, x + c)...);
    hn::StoreU(s, d, out + c);
    if (out2) hn::StoreU(t, d, out2 + c);
  }
}

// out[c] and, where there is one, out2[c] plus the sum of f over the rows that count. x are matrices with `rows` rows, of
// which ld = 0 is one row for all. Fits of 4 lanes, then single elements, take the columns that fill no vector.
template <class F, class A, class... X>
HWY_INLINE void SumColumns(const F& f, const double* weight, int64_t rows, int64_t cols, A* out, A* out2,
                           const X&... x) {
  const hn::ScalableTag<A> d;
  const hn::CappedTag<A, 4> d4;
  const hn::CappedTag<A, 1> d1;
  if (cols > 6 * static_cast<int64_t>(hn::Lanes(d))) {
    for (int64_t r = 0; r < rows; ++r) {
      if (!Counts(weight, r)) continue;
      int64_t c = 0;
      AddRow(d, f, c, cols, out, out2, x.row(r)...);
      AddRow(d1, f, c, cols, out, out2, x.row(r)...);
    }
    return;
  }
  int64_t c = 0;
  SumStrips(d, f, weight, rows, c, cols, out, out2, x...);
  if (hn::Lanes(d) > 4) SumStrips(d4, f, weight, rows, c, cols, out, out2, x...);
  SumStrips(d1, f, weight, rows, c, cols, out, out2, x...);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
