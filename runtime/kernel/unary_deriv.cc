// First and second derivatives of the element-wise functions; unary-inl.h has the rules. f' itself has no loop of its
// own: it is the gradient for a cotangent of ones.
#include <algorithm>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/unary_deriv.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/span-inl.h"
#include "runtime/kernel/unary-inl.h"
#include "runtime/kernel/unary.h"
#include "runtime/kernel/unary_list.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class V>
HWY_INLINE V KeepNaN(V x, V value) {
  return hn::IfThenElse(hn::IsNaN(x), x, value);
}
template <class Rule, class T>
struct Gradient {
  T a;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V s, V gy, V gx) const {
    return hn::MulAdd(gy, KeepNaN(s, Rule::D1(d, s, hn::Set(d, a))), gx);
  }
};
template <class Rule, class T>
struct FreshGradient {
  T a;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V s, V gy) const {
    return hn::Mul(gy, KeepNaN(s, Rule::D1(d, s, hn::Set(d, a))));
  }
};
template <class Rule, class T>
struct Second {
  T a;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return KeepNaN(x, Rule::D2(d, x, hn::Set(d, a)));
  }
};
template <class Rule, class T>
HWY_NOINLINE void GradLoop(T a, const T* s, const T* gy, T* gx, size_t n, bool fresh) {
  if (fresh)
    Map2(FreshGradient<Rule, T>{a}, s, gy, gx, n);
  else
    Update(Gradient<Rule, T>{a}, s, gy, gx, n);
}
template <class Rule, class T>
HWY_NOINLINE void SecondLoop(T a, const T* x, T* d, size_t n) {
  Map(Second<Rule, T>{a}, x, d, n);
}

template <class T>
void Grad(Unary f, T a, const T* x, const T* y, const T* gy, T* gx, size_t n, bool fresh) {
  switch (f) {
#define NF_CASE(name, rule) \
  case Unary::name:         \
    return GradLoop<rule>(a, rule::kFromOutput ? y : x, gy, gx, n, fresh);
    NF_UNARY_LIST(NF_CASE)
#undef NF_CASE
  }
}
template <class T>
void Deriv2(Unary f, T a, const T* x, T* d, size_t n) {
  switch (f) {
#define NF_CASE(name, rule) \
  case Unary::name:         \
    return SecondLoop<rule>(a, x, d, n);
    NF_UNARY_LIST(NF_CASE)
#undef NF_CASE
  }
}
void GradF32(Unary f, float a, const float* x, const float* y, const float* gy, float* gx, size_t n, bool fresh) {
  Grad(f, a, x, y, gy, gx, n, fresh);
}
void GradF64(Unary f, double a, const double* x, const double* y, const double* gy, double* gx, size_t n, bool fresh) {
  Grad(f, a, x, y, gy, gx, n, fresh);
}
void Deriv2F32(Unary f, float a, const float* x, float* d, size_t n) { Deriv2(f, a, x, d, n); }
void Deriv2F64(Unary f, double a, const double* x, double* d, size_t n) { Deriv2(f, a, x, d, n); }

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(GradF32);
HWY_EXPORT(GradF64);
HWY_EXPORT(Deriv2F32);
HWY_EXPORT(Deriv2F64);

template <>
void unary_grad(Unary f, float a, const float* x, const float* y, const float* gy, float* gx, int64_t n, bool fresh) {
  HWY_DYNAMIC_DISPATCH(GradF32)(f, a, x, y, gy, gx, static_cast<size_t>(n), fresh);
}
template <>
void unary_grad(Unary f, double a, const double* x, const double* y, const double* gy, double* gx, int64_t n,
                bool fresh) {
  HWY_DYNAMIC_DISPATCH(GradF64)(f, a, x, y, gy, gx, static_cast<size_t>(n), fresh);
}
template <>
void unary_deriv2(Unary f, float a, const float* x, float* d, int64_t n) {
  HWY_DYNAMIC_DISPATCH(Deriv2F32)(f, a, x, d, static_cast<size_t>(n));
}
template <>
void unary_deriv2(Unary f, double a, const double* x, double* d, int64_t n) {
  HWY_DYNAMIC_DISPATCH(Deriv2F64)(f, a, x, d, static_cast<size_t>(n));
}

template <class T>
void unary_deriv(Unary f, T a, const T* x, const T* y, T* d, int64_t n) {
  constexpr int64_t kBlock = 256;
  T ones[kBlock];
  std::fill_n(ones, kBlock, T{1});
  for (int64_t i = 0; i < n; i += kBlock) {
    unary_grad(f, a, x ? x + i : nullptr, y ? y + i : nullptr, ones, d + i, std::min(kBlock, n - i), true);
  }
}
template void unary_deriv(Unary, float, const float*, const float*, float*, int64_t);
template void unary_deriv(Unary, double, const double*, const double*, double*, int64_t);

}  // namespace libnf::kernel
#endif
