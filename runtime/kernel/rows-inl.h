// Loops over matrices whose rows are ld elements apart, for functions that are a few arithmetic instructions: every lane
// computes what a scalar would, so an element's bits do not depend on where it stands, and ends of rows may go one
// element at a time. An input with ld = 0 is one row for all. Included once per SIMD target.
#if defined(NF_KERNEL_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_ROWS_INL_H_
#undef NF_KERNEL_ROWS_INL_H_
#else
#define NF_KERNEL_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstring>

#include "runtime/core/rows.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// y[i] = f(d, x[i]...), where an x may be y. F has a member template Vec operator()(d, v...) for every tag d of T.
template <class F, class T, class... X>
HWY_INLINE void MapSpans(const F& f, T* y, size_t n, const X*... x) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i)...), d, y + i);
  const size_t rest = n - i;
  if (lanes > 4 && rest >= 4) return StoreTail(f(d, LoadTail(d, x + i, rest)...), d, y + i, rest);
  const hn::CappedTag<T, 1> one;  // cheaper than a mask
  for (; i < n; ++i) hn::StoreU(f(one, hn::LoadU(one, x + i)...), one, y + i);
}

// Narrow contiguous rows run as wide ones: several of them are one span, and inputs that all rows share repeat.
constexpr int64_t kTile = 128, kNarrow = 32;

template <class F, class T, class... X>
HWY_NOINLINE void MapTiles(const F& f, const Rows<T>& y, const X&... x) {
  const int64_t cols = y.cols, together = kTile / cols;
  T tiles[sizeof...(X)][kTile];
  size_t k = 0;
  const auto repeat = [&](const auto& in) {
    for (int64_t r = 0; in.ld == 0 && r < together; ++r) std::copy_n(in.p, cols, tiles[k] + r * cols);
    ++k;
  };
  (repeat(x), ...);
  for (int64_t r = 0; r < y.rows; r += together) {
    const auto n = static_cast<size_t>(std::min(together, y.rows - r) * cols);
    k = 0;
    const auto at = [&](const auto& in) {
      const T* tile = tiles[k++];
      return in.ld == 0 ? tile : static_cast<const T*>(in.row(r));
    };
    // Braces: the order of evaluation is that of the pack.
    const T* from[] = {at(x)...};
    [&]<size_t... i>(std::index_sequence<i...>) HWY_ATTR { MapSpans(f, y.row(r), n, from[i]...); }
    (std::make_index_sequence<sizeof...(X)>());
  }
}

// Rows of fewer elements than a vector is worth: column by column.
template <class F, class T, class... X>
HWY_INLINE void MapFewColumns(const F& f, const Rows<T>& y, const X&... x) {
  const hn::CappedTag<T, 1> one;
  for (int64_t c = 0; c < y.cols; ++c)
    for (int64_t r = 0; r < y.rows; ++r) hn::StoreU(f(r)(one, hn::LoadU(one, x.row(r) + c)...), one, y.row(r) + c);
}
constexpr int64_t kFew = 3;

// y[r, c] = f(d, x[r, c]...); every x is Rows<const T>.
template <class F, class T, class... X>
HWY_INLINE void MapRows(const F& f, const Rows<T>& y, const X&... x) {
  if (y.cols == 0) return;
  if (y.ld == y.cols && ((x.ld == y.cols) && ...))
    return MapSpans(f, y.p, static_cast<size_t>(y.rows * y.cols), x.p...);
  if (y.cols <= kNarrow && y.rows > 1 && y.ld == y.cols && ((x.ld == y.cols || x.ld == 0) && ...))
    return MapTiles(f, y, x...);
  if (y.cols <= kFew) return MapFewColumns([&](int64_t) { return f; }, y, x...);
  for (int64_t r = 0; r < y.rows; ++r) MapSpans(f, y.row(r), static_cast<size_t>(y.cols), x.row(r)...);
}

// y[r, c] = f(r)(d, x[r, c]...), row after row: y with ld = 0 collects the updates of all rows in their order.
template <class F, class T, class... X>
HWY_INLINE void MapEachRow(const F& f, const Rows<T>& y, const X&... x) {
  if (y.cols <= kFew) return MapFewColumns(f, y, x...);
  for (int64_t r = 0; r < y.rows; ++r) MapSpans(f(r), y.row(r), static_cast<size_t>(y.cols), x.row(r)...);
}

// f(d, i) for all of [0, n): for a whole vector of T from i, or for one element at the end. f loads and stores itself.
template <class T, class F>
HWY_INLINE void EachVector(size_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) f(d, i);
  const hn::CappedTag<T, 1> one;
  for (; i < n; ++i) f(one, i);
}

// p[i] from i on, or one number for all where step is 0.
template <class D, class T>
HWY_INLINE hn::Vec<D> LoadStep(D d, const T* p, int64_t step, size_t i) {
  return step ? hn::LoadU(d, p + i) : hn::Set(d, *p);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
