// Optimizer steps in Highway; optim_kernels.h has formulas and accuracy. There is one loop body per rule, instantiated
// for every target and both types. The remainder of a range runs through the same body on a padded copy, so the bits of
// an element do not depend on where a range was cut.
#include "runtime/kernel/optim_kernels.h"

#include <cstring>
#include <limits>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/optim_kernels.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
struct Coefficients {
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  Coefficients(D d, const Update& u)
      : grad_scale(set(d, u.grad_scale)),
        l2(set(d, u.l2)),
        rate(set(d, u.rate)),
        keep(set(d, u.keep)),
        beta1(set(d, u.beta1)),
        mix1(set(d, u.mix1)),
        beta2(set(d, u.beta2)),
        mix2(set(d, u.mix2)),
        root_scale(set(d, u.root_scale)),
        eps(set(d, u.eps)),
        floor(set(d, u.floor)),
        tiny(hn::Set(d, std::numeric_limits<T>::min())),
        huge(hn::Set(d, std::numeric_limits<T>::max())),
        ulp(hn::Set(d, std::numeric_limits<T>::epsilon())) {}
  static V set(D d, double x) { return hn::Set(d, static_cast<T>(x)); }

  V grad_scale, l2, rate, keep, beta1, mix1, beta2, mix2, root_scale, eps, floor, tiny, huge, ulp;
};

// Not hn::Min: targets differ in what Min makes of a NaN, which must stay visible.
template <class V, class C>
HWY_INLINE V saturate(const C& c, V x) {
  return hn::IfThenElse(hn::Gt(x, c.huge), c.huge, x);
}

// Likewise on both sides.
template <class V, class C>
HWY_INLINE V bounded(const C& c, V x) {
  return hn::IfThenElse(hn::Lt(x, hn::Neg(c.huge)), hn::Neg(c.huge), saturate(c, x));
}

// Returns beta s + mix x with denormals flushed; otherwise the state of a dead unit would stay denormal forever.
template <class V, class C>
HWY_INLINE V mean(const C& c, V beta, V s, V mix, V x) {
  const V m = hn::MulAdd(beta, s, hn::Mul(mix, x));
  return bounded(c, hn::IfThenZeroElse(hn::Lt(hn::Abs(m), c.tiny), m));
}

// Does the same for x^2, and saturates.
template <class V, class C>
HWY_INLINE V mean_square(const C& c, V beta, V s, V mix, V x) {
  const V m = hn::MulAdd(beta, s, hn::Mul(hn::Mul(mix, x), x));
  return saturate(c, hn::IfThenZeroElse(hn::Lt(m, c.tiny), m));
}

template <class V, class C>
HWY_INLINE V normalized(const C& c, V g, V square) {
  return hn::Div(g, hn::Add(hn::Sqrt(square), c.eps));
}

// Returns square - mean^2, but at least the rounding error of the difference, so that a constant gradient is not
// divided by eps alone.
template <class V, class C>
HWY_INLINE V variance(const C& c, V square, V mean) {
  return hn::Max(hn::NegMulAdd(mean, mean, square), hn::Mul(c.ulp, square));
}

template <UpdateRule R, class D, class V = hn::Vec<D>>
HWY_INLINE void step(const Coefficients<D>& c, V& p, V grad, V& s0, V& s1, V& s2) {
  using enum UpdateRule;
  if constexpr (R == average) {
    p = bounded(c, hn::MulAdd(c.rate, hn::Sub(grad, p), p));
    return;
  }
  const V g = hn::MulAdd(c.l2, p, hn::Mul(c.grad_scale, grad));
  V direction = g;
  if constexpr (R == momentum) {
    direction = s0 = mean(c, c.beta1, s0, c.mix1, g);
  } else if constexpr (R == nesterov) {
    s0 = mean(c, c.beta1, s0, c.mix1, g);
    direction = hn::MulAdd(c.beta1, s0, g);
  } else if constexpr (R == adam || R == amsgrad) {
    s0 = mean(c, c.beta1, s0, c.mix1, g);
    s1 = mean_square(c, c.beta2, s1, c.mix2, g);
    if constexpr (R == amsgrad) s2 = hn::Max(s2, s1);
    p = hn::Mul(c.keep, p);
    direction = hn::Div(s0, hn::MulAdd(c.root_scale, hn::Sqrt(R == amsgrad ? s2 : s1), c.eps));
  } else if constexpr (R == adamax) {
    s0 = mean(c, c.beta1, s0, c.mix1, g);
    s1 = hn::Max(hn::Mul(c.beta2, s1), hn::Add(hn::Abs(g), c.eps));
    direction = hn::Div(s0, s1);
  } else if constexpr (R == rmsprop) {
    s0 = mean_square(c, c.beta2, s0, c.mix2, g);
    direction = normalized(c, g, s0);
  } else if constexpr (R == rmsprop_momentum) {
    s0 = mean_square(c, c.beta2, s0, c.mix2, g);
    direction = s1 = bounded(c, hn::MulAdd(c.beta1, s1, normalized(c, g, s0)));
  } else if constexpr (R == rmsprop_centered) {
    s0 = mean_square(c, c.beta2, s0, c.mix2, g);
    s1 = mean(c, c.beta2, s1, c.mix2, g);
    direction = normalized(c, g, variance(c, s0, s1));
  } else if constexpr (R == rmsprop_centered_momentum) {
    s0 = mean_square(c, c.beta2, s0, c.mix2, g);
    s1 = mean(c, c.beta2, s1, c.mix2, g);
    direction = s2 = bounded(c, hn::MulAdd(c.beta1, s2, normalized(c, g, variance(c, s0, s1))));
  } else if constexpr (R == adagrad) {
    s0 = saturate(c, hn::MulAdd(g, g, s0));
    direction = normalized(c, g, hn::Add(s0, c.floor));
  } else if constexpr (R == adadelta) {
    s0 = mean_square(c, c.beta2, s0, c.mix2, g);
    direction = hn::Mul(hn::Sqrt(hn::Div(hn::Add(s1, c.eps), hn::Add(s0, c.eps))), g);
    s1 = mean_square(c, c.beta2, s1, c.mix2, direction);
  }
  p = bounded(c, hn::NegMulAdd(c.rate, bounded(c, direction), p));
}

template <UpdateRule R, class D, class T>
HWY_INLINE void step_at(D d, const Coefficients<D>& c, T* p, const T* g, T* s0, T* s1, T* s2) {
  constexpr int kSlots = update_slots(R);
  auto vp = hn::LoadU(d, p);
  auto v0 = hn::Zero(d), v1 = hn::Zero(d), v2 = hn::Zero(d);
  if constexpr (kSlots > 0) v0 = hn::LoadU(d, s0);
  if constexpr (kSlots > 1) v1 = hn::LoadU(d, s1);
  if constexpr (kSlots > 2) v2 = hn::LoadU(d, s2);
  step<R, D>(c, vp, hn::LoadU(d, g), v0, v1, v2);
  hn::StoreU(vp, d, p);
  if constexpr (kSlots > 0) hn::StoreU(v0, d, s0);
  if constexpr (kSlots > 1) hn::StoreU(v1, d, s1);
  if constexpr (kSlots > 2) hn::StoreU(v2, d, s2);
}

template <UpdateRule R, class T>
HWY_NOINLINE void run(const Update& u, T* param, const T* grad, T* const* slots, int64_t begin, int64_t end) {
  constexpr int kSlots = update_slots(R);
  const hn::ScalableTag<T> d;
  const Coefficients<hn::ScalableTag<T>> c(d, u);
  T* p = param;
  T* s[kMaxUpdateSlots] = {};
  for (int k = 0; k < kSlots; ++k) s[k] = slots[k];
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    // s[k] + i only if the slot exists: arithmetic on a null pointer is undefined.
    step_at<R>(d, c, p + i, grad + i, kSlots > 0 ? s[0] + i : nullptr, kSlots > 1 ? s[1] + i : nullptr,
               kSlots > 2 ? s[2] + i : nullptr);
  }
  if (i >= end) return;
  HWY_ALIGN T tail[2 + kMaxUpdateSlots][hn::MaxLanes(d)] = {};
  const size_t bytes = static_cast<size_t>(end - i) * sizeof(T);
  std::memcpy(tail[0], p + i, bytes);
  std::memcpy(tail[1], grad + i, bytes);
  for (int k = 0; k < kSlots; ++k) std::memcpy(tail[2 + k], s[k] + i, bytes);
  step_at<R>(d, c, tail[0], tail[1], tail[2], tail[3], tail[4]);
  std::memcpy(p + i, tail[0], bytes);
  for (int k = 0; k < kSlots; ++k) std::memcpy(s[k] + i, tail[2 + k], bytes);
}

template <class T>
HWY_INLINE void dispatch(const Update& u, T* p, const T* g, T* const* slots, int64_t begin, int64_t end) {
  using enum UpdateRule;
  switch (u.rule) {
    case sgd:
      return run<sgd>(u, p, g, slots, begin, end);
    case momentum:
      return run<momentum>(u, p, g, slots, begin, end);
    case nesterov:
      return run<nesterov>(u, p, g, slots, begin, end);
    case adam:
      return run<adam>(u, p, g, slots, begin, end);
    case amsgrad:
      return run<amsgrad>(u, p, g, slots, begin, end);
    case adamax:
      return run<adamax>(u, p, g, slots, begin, end);
    case rmsprop:
      return run<rmsprop>(u, p, g, slots, begin, end);
    case rmsprop_momentum:
      return run<rmsprop_momentum>(u, p, g, slots, begin, end);
    case rmsprop_centered:
      return run<rmsprop_centered>(u, p, g, slots, begin, end);
    case rmsprop_centered_momentum:
      return run<rmsprop_centered_momentum>(u, p, g, slots, begin, end);
    case adagrad:
      return run<adagrad>(u, p, g, slots, begin, end);
    case adadelta:
      return run<adadelta>(u, p, g, slots, begin, end);
    case average:
      return run<average>(u, p, g, slots, begin, end);
  }
}

void update_f32(const Update& u, float* p, const float* g, float* const* slots, int64_t begin, int64_t end) {
  dispatch(u, p, g, slots, begin, end);
}
void update_f64(const Update& u, double* p, const double* g, double* const* slots, int64_t begin, int64_t end) {
  dispatch(u, p, g, slots, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace libnf::kernel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(update_f32);
HWY_EXPORT(update_f64);

template <>
void update<float>(const Update& u, float* p, const float* g, float* const* slots, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(update_f32)(u, p, g, slots, begin, end);
}
template <>
void update<double>(const Update& u, double* p, const double* g, double* const* slots, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(update_f64)(u, p, g, slots, begin, end);
}

}  // namespace libnf::kernel
#endif  // HWY_ONCE
