// Loops of runtime/kernel/low.h.
#include "runtime/kernel/low.h"

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

// Stores x rounded to float, and what that took from it if `low` is there.
template <class D>
HWY_INLINE void StoreHighLow(D d, hn::Vec<D> x, float* high, float* low) {
  const hn::Rebind<float, D> f;
  const auto rounded = Narrow(d, x);
  hn::StoreU(rounded, f, high);
  if (!low) return;
  const auto taken = Narrow(d, hn::Sub(x, hn::PromoteTo(d, rounded)));
  hn::StoreU(hn::IfThenElseZero(hn::IsFinite(rounded), taken), f, low);
}

void Split(const double* x, float* high, float* low, int64_t n) {
  EachVector<double>(static_cast<size_t>(n), [=](auto d, size_t i) HWY_ATTR {
    StoreHighLow(d, hn::LoadU(d, x + i), high + i, low + i);
  });
}

void Join(const float* high, const float* low, double* x, int64_t n) {
  EachVector<double>(static_cast<size_t>(n), [=](auto d, size_t i) HWY_ATTR {
    hn::StoreU(hn::Add(LoadAs(d, high + i), LoadAs(d, low + i)), d, x + i);
  });
}

// One row of a matrix, nullptr: zeros.
struct Row {
  Row(const HighLow& m, int64_t r)
      : high(m.high.p ? m.high.row(r) : nullptr), low(m.low.p ? m.low.row(r) : nullptr) {}
  const float *high, *low;
};
template <class D>
HWY_INLINE hn::Vec<D> LoadOrZero(D d, const float* p, size_t i) {
  return p ? LoadAs(d, p + i) : hn::Zero(d);
}

void Affine(const HighLow& x, const HighLow& before, const double* factor, const HighLow& after, const Rows<float>& y,
            float* y_low) {
  for (int64_t r = 0; r < y.rows; ++r) {
    const Row from(x, r), p(before, r), q(after, r);
    float *to = y.row(r), *to_low = y_low ? y_low + r * y.ld : nullptr;
    EachVector<double>(static_cast<size_t>(y.cols), [=](auto d, size_t i) HWY_ATTR {
      const auto zero = hn::Zero(d);
      const auto xl = LoadOrZero(d, from.low, i), pl = LoadOrZero(d, p.low, i), ql = LoadOrZero(d, q.low, i);
      const auto moved = hn::Sub(hn::Add(LoadAs(d, from.high + i), xl), hn::Add(LoadOrZero(d, p.high, i), pl));
      const auto exact =
          hn::Add(hn::Mul(moved, hn::LoadU(d, factor + i)), hn::Add(LoadOrZero(d, q.high, i), ql));
      const auto plain = hn::And(hn::Eq(xl, zero), hn::And(hn::Eq(pl, zero), hn::Eq(ql, zero)));
      const hn::Rebind<float, decltype(d)> f;
      const auto rounded = Narrow(d, hn::IfThenElse(plain, LoadAs(d, to + i), exact));
      hn::StoreU(rounded, f, to + i);
      if (!to_low) return;
      const auto taken = Narrow(d, hn::Sub(exact, hn::PromoteTo(d, rounded)));
      hn::StoreU(hn::IfThenElseZero(hn::IsFinite(rounded), taken), f, to_low + i);
    });
  }
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
