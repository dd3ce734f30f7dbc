// Loops of runtime/kernel/scale_map.h: all three results in one pass.
#include "runtime/kernel/scale_map.h"

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/scale_map.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/span-inl.h"
#include "runtime/kernel/unary-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// One rule: s and log s (l) of raw; raw becomes d(log s)/d(raw).
#define NF_SCALE                           \
  template <class D, class V = hn::Vec<D>> \
  static HWY_INLINE void Of(D d, [[maybe_unused]] V cap, V& raw, V& s, V& l)

struct BoundedExpMap {
  NF_SCALE {
    const V t = Tanh(d, hn::Div(raw, cap));
    raw = hn::NegMulAdd(t, t, Const(d, 1));
    l = hn::Mul(cap, t);
    s = Exp(d, l);
  }
};
struct ExpMap {
  NF_SCALE {
    l = raw;
    s = Exp(d, l);
    raw = Const(d, 1);
  }
};
struct SigmoidMap {
  NF_SCALE {
    const V p = Sigmoid(d, hn::Add(raw, Const(d, 2)));
    s = hn::Add(p, Const(d, kLeastScale));
    raw = hn::Div(hn::Mul(p, hn::Sub(Const(d, 1), p)), s);
    l = Log(d, s);
  }
};
struct PlainSigmoidMap {
  NF_SCALE {
    const V v = hn::Add(raw, Const(d, 2)), minus = hn::Neg(v);
    s = Sigmoid(d, v);
    raw = Sigmoid(d, minus);
    l = hn::Neg(Softplus::F(d, minus, Const(d, 1)));
  }
};
struct SoftplusOpenMap {
  NF_SCALE {
    const V p = Sigmoid(d, raw);
    s = hn::Add(Softplus::F(d, raw, Const(d, 1)), Const(d, kLeastScale));
    raw = hn::Div(p, s);
    l = Log(d, s);
  }
};
struct SoftplusMap {
  NF_SCALE {
    SoftplusOpenMap::Of(d, cap, raw, s, l);
    const V most = Const(d, kMostScale);
    const auto beyond = hn::Gt(s, most);
    raw = hn::IfThenZeroElse(beyond, raw);
    s = hn::IfThenElse(beyond, most, s);
    l = Log(d, s);
  }
};
struct SoftExpMap {
  NF_SCALE {
    const V c = Const(d, kLog1000);
    const V q = hn::Div(c, hn::Add(c, hn::Abs(raw)));
    l = hn::Mul(raw, q);
    raw = hn::Mul(q, q);
    s = Exp(d, l);
  }
};
#undef NF_SCALE

template <class Rule, class T>
HWY_NOINLINE void Loop(T cap, const T* raw, T* s, T* log_s, T* slope, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto c = hn::Set(d, cap);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto v = hn::LoadU(d, raw + i), scale = v, l = v;
    Rule::Of(d, c, v, scale, l);
    hn::StoreU(scale, d, s + i);
    hn::StoreU(l, d, log_s + i);
    hn::StoreU(v, d, slope + i);
  }
  if (i < n) {
    auto v = LoadTail(d, raw + i, n - i), scale = v, l = v;
    Rule::Of(d, c, v, scale, l);
    StoreTail(scale, d, s + i, n - i);
    StoreTail(l, d, log_s + i, n - i);
    StoreTail(v, d, slope + i, n - i);
  }
}

template <class T>
void ScaleMapOf(ScaleMap map, T cap, const T* raw, T* s, T* log_s, T* slope, size_t n) {
  switch (map) {
    case ScaleMap::bounded_exp:
      return Loop<BoundedExpMap>(cap, raw, s, log_s, slope, n);
    case ScaleMap::exp:
      return Loop<ExpMap>(cap, raw, s, log_s, slope, n);
    case ScaleMap::sigmoid:
      return Loop<SigmoidMap>(cap, raw, s, log_s, slope, n);
    case ScaleMap::softplus:
      return Loop<SoftplusMap>(cap, raw, s, log_s, slope, n);
    case ScaleMap::soft_exp:
      return Loop<SoftExpMap>(cap, raw, s, log_s, slope, n);
    case ScaleMap::softplus_open:
      return Loop<SoftplusOpenMap>(cap, raw, s, log_s, slope, n);
    case ScaleMap::plain_sigmoid:
      return Loop<PlainSigmoidMap>(cap, raw, s, log_s, slope, n);
  }
}
void ScaleMapF32(ScaleMap map, float cap, const float* raw, float* s, float* log_s, float* slope, size_t n) {
  ScaleMapOf(map, cap, raw, s, log_s, slope, n);
}
void ScaleMapF64(ScaleMap map, double cap, const double* raw, double* s, double* log_s, double* slope, size_t n) {
  ScaleMapOf(map, cap, raw, s, log_s, slope, n);
}

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

HWY_EXPORT(ScaleMapF32);
HWY_EXPORT(ScaleMapF64);

template <>
void scale_map(ScaleMap map, float cap, const float* raw, float* s, float* log_s, float* slope, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ScaleMapF32)(map, cap, raw, s, log_s, slope, static_cast<size_t>(n));
}
template <>
void scale_map(ScaleMap map, double cap, const double* raw, double* s, double* log_s, double* slope, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ScaleMapF64)(map, cap, raw, s, log_s, slope, static_cast<size_t>(n));
}

}  // namespace libnf::kernel
#endif
