// See circular.h.
#include "runtime/kernel/circular.h"

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/circular.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class T>
HWY_NOINLINE void CircularShift(T low, T period, const T* shift, const T* x, T* y, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto first = hn::Set(d, low), end = hn::Set(d, low + period), turn = hn::Set(d, period);
  const auto least = hn::Set(d, low - period / 2), most = hn::Set(d, low + period + period / 2);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t m = n - i;
    const bool whole = m >= lanes;
    const auto load = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, m); };
    auto in = load(x);
    const auto near = hn::And(hn::Ge(in, least), hn::Le(in, most));
    const auto turns = hn::Floor(hn::Div(hn::Sub(in, first), turn));
    auto back = hn::Sub(in, hn::Mul(turn, turns));
    back = hn::IfThenElse(hn::Or(hn::Lt(back, first), hn::Ge(back, end)), first, back);  // too far out for exact digits
    in = hn::IfThenElse(near, in, back);
    auto v = hn::Add(in, load(shift));
    v = hn::IfThenElse(hn::Ge(v, end), hn::Sub(v, turn), v);
    v = hn::IfThenElse(hn::Lt(v, first), hn::Add(v, turn), v);
    v = hn::IfThenElse(hn::Ge(v, end), first, v);  // a sum that rounded up to the end, which is the beginning
    if (whole)
      hn::StoreU(v, d, y + i);
    else
      StoreTail(v, d, y + i, m);
  }
}

#define NF_DEFINE(Name, T)                                                                \
  void CircularShift##Name(T low, T period, const T* shift, const T* x, T* y, size_t n) { \
    CircularShift(low, period, shift, x, y, n);                                           \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_DEFINE(Name, T)                                                                       \
  HWY_EXPORT(CircularShift##Name);                                                               \
  template <>                                                                                    \
  void circular_shift(T low, T period, const T* shift, const T* x, T* y, int64_t n) {            \
    HWY_DYNAMIC_DISPATCH(CircularShift##Name)(low, period, shift, x, y, static_cast<size_t>(n)); \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel
#endif
