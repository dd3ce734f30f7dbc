// Loops of runtime/kernel/low.h.
#include "runtime/kernel/low.h"

#include <algorithm>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/low.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/column_sums-inl.h"
#include "runtime/kernel/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// Rounds to float, beyond its range to infinity: Highway's one-lane target stops at the largest float.
template <class D>
HWY_INLINE hn::Vec<hn::Rebind<float, D>> Narrow(D, hn::Vec<D> x) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(hn::Rebind<float, D>(), static_cast<float>(hn::GetLane(x)));
#else
  return hn::DemoteTo(hn::Rebind<float, D>(), x);
#endif
}

// Stores x rounded to float and, if `low` is there, what that takes from `exact`.
template <class D>
HWY_INLINE void StoreHighLow(D d, hn::Vec<D> x, hn::Vec<D> exact, float* high, float* low) {
  const hn::Rebind<float, D> f;
  const auto rounded = Narrow(d, x);
  hn::StoreU(rounded, f, high);
  if (!low) return;
  const auto taken = Narrow(d, hn::Sub(exact, hn::PromoteTo(d, rounded)));
  hn::StoreU(hn::IfThenElseZero(hn::IsFinite(rounded), taken), f, low);
}

void Split(const double* x, float* high, float* low, int64_t n) {
  EachVector<double>(static_cast<size_t>(n), [=](auto d, size_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, x + i);
    StoreHighLow(d, v, v, high + i, low + i);
  });
}

void Join(const float* high, const float* low, double* x, int64_t n) {
  EachVector<double>(static_cast<size_t>(n), [=](auto d, size_t i) HWY_ATTR {
    hn::StoreU(hn::Add(LoadAs(d, high + i), LoadAs(d, low + i)), d, x + i);
  });
}

// A span of numbers with low parts; nullptr: zeros.
struct Span {
  const float *high, *low;
};
Span RowOf(const HighLow& m, int64_t r) {
  return {m.high.p ? m.high.row(r) : nullptr, m.low.p ? m.low.row(r) : nullptr};
}
template <class D>
HWY_INLINE hn::Vec<D> LoadOrZero(D d, const float* p, size_t i) {
  return p ? LoadAs(d, p + i) : hn::Zero(d);
}

void AffineSpan(Span x, Span before, const double* factor, Span after, float* y, float* y_low, int64_t n) {
  EachVector<double>(static_cast<size_t>(n), [=](auto d, size_t i) HWY_ATTR {
    const auto zero = hn::Zero(d);
    const auto xl = LoadOrZero(d, x.low, i), bl = LoadOrZero(d, before.low, i), al = LoadOrZero(d, after.low, i);
    const auto moved = hn::Sub(hn::Add(LoadAs(d, x.high + i), xl), hn::Add(LoadOrZero(d, before.high, i), bl));
    const auto exact = hn::Add(hn::Mul(moved, hn::LoadU(d, factor + i)), hn::Add(LoadOrZero(d, after.high, i), al));
    const auto plain = hn::And(hn::Eq(xl, zero), hn::And(hn::Eq(bl, zero), hn::Eq(al, zero)));
    StoreHighLow(d, hn::IfThenElse(plain, LoadAs(d, y + i), exact), exact, y + i, y_low ? y_low + i : nullptr);
  });
}

// As many copies of one row as fit, so that narrow rows go by several at a time.
class Tile {
 public:
  static constexpr int64_t kSize = 128;
  Tile(const HighLow& row, int64_t cols, int64_t rows)
      : span_{Fill(row.high.p, high_, cols, rows), Fill(row.low.p, low_, cols, rows)} {}
  Span span() const { return span_; }
  template <class T>
  static const T* Fill(const T* row, T* to, int64_t cols, int64_t rows) {
    for (int64_t r = 0; row && r < rows; ++r) std::copy_n(row, cols, to + r * cols);
    return row ? to : nullptr;
  }

 private:
  float high_[kSize], low_[kSize];
  Span span_;
};

// before and after are one row for all.
void Affine(const HighLow& x, const HighLow& before, const double* factor, const HighLow& after, const Rows<float>& y,
            float* y_low) {
  const int64_t cols = y.cols;
  const auto low_from = [&](int64_t r) { return y_low ? y_low + r * y.ld : nullptr; };
  const bool whole = x.high.ld == cols && y.ld == cols && (!x.low.p || x.low.ld == cols);
  if (cols == 0 || cols > Tile::kSize / 4 || !whole) {
    for (int64_t r = 0; r < y.rows; ++r)
      AffineSpan(RowOf(x, r), RowOf(before, 0), factor, RowOf(after, 0), y.row(r), low_from(r), cols);
    return;
  }
  const int64_t together = Tile::kSize / cols;
  const Tile b(before, cols, together), a(after, cols, together);
  double factors[Tile::kSize];
  Tile::Fill(factor, factors, cols, together);
  for (int64_t r = 0; r < y.rows; r += together)
    AffineSpan(RowOf(x, r), b.span(), factors, a.span(), y.row(r), low_from(r), std::min(together, y.rows - r) * cols);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(Split);
HWY_EXPORT(Join);
HWY_EXPORT(Affine);

void split_low(const double* x, float* high, float* low, int64_t n) { HWY_DYNAMIC_DISPATCH(Split)(x, high, low, n); }
void join_low(const float* high, const float* low, double* x, int64_t n) {
  HWY_DYNAMIC_DISPATCH(Join)(high, low, x, n);
}
void affine_low(const HighLow& x, const HighLow& before, const double* factor, const HighLow& after, Rows<float> y,
                float* y_low) {
  HWY_DYNAMIC_DISPATCH(Affine)(x, before, factor, after, y, y_low);
}

}  // namespace libnf::kernel
#endif
