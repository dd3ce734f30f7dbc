// Forward loops of the element-wise functions, and the dispatch of forward and derivatives; unary-inl.h has the rules.
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/unary.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/span-inl.h"
#include "runtime/kernel/unary-inl.h"
#include "runtime/kernel/unary.h"
#include "runtime/kernel/unary_list.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class Rule, class T>
struct Apply {
  T a;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Rule::F(d, x, hn::Set(d, a));
  }
};
template <class Rule, class T>
HWY_NOINLINE void Loop(T a, const T* x, T* y, size_t n) {
  Map(Apply<Rule, T>{a}, x, y, n);
}

template <class T>
void Forward(Unary f, T a, const T* x, T* y, size_t n) {
  switch (f) {
#define NF_CASE(name, rule) \
  case Unary::name:         \
    return Loop<rule>(a, x, y, n);
    NF_UNARY_LIST(NF_CASE)
#undef NF_CASE
  }
}
void ForwardF32(Unary f, float a, const float* x, float* y, size_t n) { Forward(f, a, x, y, n); }
void ForwardF64(Unary f, double a, const double* x, double* y, size_t n) { Forward(f, a, x, y, n); }

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(ForwardF32);
HWY_EXPORT(ForwardF64);

template <>
void unary(Unary f, float a, const float* x, float* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ForwardF32)(f, a, x, y, static_cast<size_t>(n));
}
template <>
void unary(Unary f, double a, const double* x, double* y, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ForwardF64)(f, a, x, y, static_cast<size_t>(n));
}

const char* name_of(Unary f) {
  switch (f) {
#define NF_CASE(name, rule) \
  case Unary::name:         \
    return #name;
    NF_UNARY_LIST(NF_CASE)
#undef NF_CASE
  }
  return "unknown";
}

bool grad_from_output(Unary f) {
  switch (f) {
#define NF_CASE(name, rule) \
  case Unary::name:         \
    return HWY_NAMESPACE::rule::kFromOutput;
    NF_UNARY_LIST(NF_CASE)
#undef NF_CASE
  }
  return false;
}

}  // namespace libnf::kernel
#endif
