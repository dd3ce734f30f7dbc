// The operations of Binary (runtime/kernel/binary.h) on vectors. Included once per SIMD target.
#ifndef NF_FOR_EACH_OP
// return CASE(Op) for the operation of f.
#define NF_FOR_EACH_OP(f, CASE) \
  switch (f) {                  \
    case Binary::add:           \
      return CASE(AddOp);       \
    case Binary::sub:           \
      return CASE(SubOp);       \
    case Binary::mul:           \
      return CASE(MulOp);       \
    case Binary::div:           \
      return CASE(DivOp);       \
    case Binary::max:           \
      return CASE(MaxOp);       \
    case Binary::min:           \
      return CASE(MinOp);       \
  }
#endif

#if defined(NF_KERNEL_BINARY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_BINARY_INL_H_
#undef NF_KERNEL_BINARY_INL_H_
#else
#define NF_KERNEL_BINARY_INL_H_
#endif

#include "hwy/highway.h"
#include "runtime/kernel/binary.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct AddOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V b) const {
    return hn::Add(x, b);
  }
};
struct SubOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V b) const {
    return hn::Sub(x, b);
  }
};
struct MulOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V b) const {
    return hn::Mul(x, b);
  }
};
struct DivOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V b) const {
    return hn::Div(x, b);
  }
};
// x wins unless b is strictly beyond it; a NaN on either side survives.
struct MaxOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V b) const {
    return hn::IfThenElse(hn::Or(hn::Gt(b, x), hn::IsNaN(b)), b, x);
  }
};
struct MinOp {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(b, x), hn::IsNaN(b)), b, x);
  }
};

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
