// The rules of ridge.h: At returns h, h' and 1 - h'; Bend returns h''.
#include "runtime/kernel/ridge.h"

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/ridge.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

#define NF_AT                              \
  template <class D, class V = hn::Vec<D>> \
  static HWY_INLINE void At(D d, V a, [[maybe_unused]] V slope, V& h, V& dh, V& gap)
#define NF_BEND                            \
  template <class D, class V = hn::Vec<D>> \
  static HWY_INLINE V Bend([[maybe_unused]] D d, [[maybe_unused]] V a, [[maybe_unused]] V h, [[maybe_unused]] V dh)

struct TanhRidge {
  NF_AT {
    // One exponential e = e^(-2|a|) for both: tanh |a| = (1 - e)/(1 + e), sech^2 a = 4 e/(1 + e)^2.
    using T = hn::TFromD<D>;
    V n;
    const V x = AtLeast(d, hn::Mul(hn::Abs(a), Const(d, -2)), sizeof(T) == 8 ? T(-700) : T(-80));
    const V p = ExpReduced(d, x, hn::Zero(d), n), s = PowerOfTwo(d, n);
    const V e = hn::MulAdd(s, p, s), minus = hn::MulAdd(s, p, hn::Sub(s, Const(d, 1)));
    const V inverse = hn::Div(Const(d, 1), hn::Add(minus, Const(d, 2)));
    h = hn::CopySign(hn::Mul(minus, inverse), a);
    dh = hn::Mul(hn::Mul(Const(d, 4), e), hn::Mul(inverse, inverse));
    gap = hn::Mul(h, h);
  }
  NF_BEND { return hn::Mul(Const(d, -2), hn::Mul(h, dh)); }
};
struct LeakyRidge {
  NF_AT {
    const auto below = hn::Lt(a, hn::Zero(d));
    h = hn::IfThenElse(below, hn::Mul(a, slope), a);
    dh = hn::IfThenElse(below, slope, Const(d, 1));
    gap = hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElseZero(below, hn::Sub(Const(d, 1), slope)));
  }
  NF_BEND { return hn::Zero(d); }
};
struct EluRidge {
  NF_AT {
    const auto below = hn::Lt(a, hn::Zero(d));
    const V low = AtMost(d, a, 0);
    h = hn::IfThenElse(below, Expm1(d, low), a);
    dh = Exp(d, low);
    gap = hn::IfThenElseZero(below, hn::Neg(h));
  }
  NF_BEND { return hn::IfThenElseZero(hn::Lt(a, hn::Zero(d)), dh); }
};
#undef NF_AT
#undef NF_BEND

// Calls body(load, store, load_m, slope) for every vector of elements: load(p) reads, store(v, p) writes.
template <class T, class Body>
HWY_INLINE void EachVector(T slope, const T* m, int64_t m_step, size_t n, const Body& body) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t rest = n - i;
    const bool whole = rest >= lanes;
    const auto load = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, rest); };
    const auto store = [&](hn::Vec<decltype(d)> v, T* p) HWY_ATTR {
      if (whole)
        hn::StoreU(v, d, p + i);
      else
        StoreTail(v, d, p + i, rest);
    };
    body(load, store, m_step ? load(m) : hn::Set(d, *m), hn::Set(d, slope));
  }
}

template <class Rule, class T>
HWY_NOINLINE void Values(T slope, const T* a, const T* m, int64_t m_step, T* h, T* log_det, size_t n) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  EachVector(slope, m, m_step, n, [&](const auto& load, const auto& store, V mv, V s) HWY_ATTR {
    V hv, dh, gap;
    Rule::At(d, load(a), s, hv, dh, gap);
    store(hv, h);
    store(Log(d, hn::MulAdd(mv, dh, gap)), log_det);
  });
}

template <class Rule, class T>
HWY_NOINLINE void Equation(T slope, const T* a, const T* m, int64_t m_step, T* y, T* det, size_t n) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  EachVector(slope, m, m_step, n, [&](const auto& load, const auto& store, V mv, V s) HWY_ATTR {
    const V av = load(a);
    V hv, dh, gap;
    Rule::At(d, av, s, hv, dh, gap);
    store(hn::MulAdd(mv, hv, hn::Sub(av, hv)), y);
    store(hn::MulAdd(mv, dh, gap), det);
  });
}

template <class Rule, class T>
HWY_NOINLINE void Slopes(T slope, const T* a, const T* m, int64_t m_step, T* dh_out, T* det_out, T* dl, T* dm,
                         size_t n) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  EachVector(slope, m, m_step, n, [&](const auto& load, const auto& store, V mv, V s) HWY_ATTR {
    const V av = load(a);
    V hv, dh, gap;
    Rule::At(d, av, s, hv, dh, gap);
    const V det = hn::MulAdd(mv, dh, gap);
    store(dh, dh_out);
    store(det, det_out);
    store(hn::Div(hn::Mul(hn::Sub(mv, Const(d, 1)), Rule::Bend(d, av, hv, dh)), det), dl);
    store(hn::Div(dh, det), dm);
  });
}

// Calls f with the rule's type.
template <class F>
HWY_INLINE void WithRule(Ridge r, const F& f) {
  switch (r) {
    case Ridge::tanh:
      return f(TanhRidge());
    case Ridge::leaky_relu:
      return f(LeakyRidge());
    case Ridge::elu:
      return f(EluRidge());
  }
}

#define NF_DEFINE(Name, T)                                                                                           \
  void Values##Name(Ridge f, T slope, const T* a, const T* m, int64_t step, T* h, T* l, size_t n) {                  \
    WithRule(f, [&](auto rule) HWY_ATTR { Values<decltype(rule)>(slope, a, m, step, h, l, n); });                    \
  }                                                                                                                  \
  void Equation##Name(Ridge f, T slope, const T* a, const T* m, int64_t step, T* y, T* det, size_t n) {              \
    WithRule(f, [&](auto rule) HWY_ATTR { Equation<decltype(rule)>(slope, a, m, step, y, det, n); });                \
  }                                                                                                                  \
  void Slopes##Name(Ridge f, T slope, const T* a, const T* m, int64_t step, T* dh, T* det, T* dl, T* dm, size_t n) { \
    WithRule(f, [&](auto rule) HWY_ATTR { Slopes<decltype(rule)>(slope, a, m, step, dh, det, dl, dm, n); });         \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_DEFINE(Name, T)                                                                                 \
  HWY_EXPORT(Values##Name);                                                                                \
  HWY_EXPORT(Equation##Name);                                                                              \
  HWY_EXPORT(Slopes##Name);                                                                                \
  template <>                                                                                              \
  void ridge(Ridge f, T slope, const T* a, const T* m, int64_t m_step, T* h, T* log_det, int64_t n) {      \
    HWY_DYNAMIC_DISPATCH(Values##Name)(f, slope, a, m, m_step, h, log_det, static_cast<size_t>(n));        \
  }                                                                                                        \
  template <>                                                                                              \
  void ridge_equation(Ridge f, T slope, const T* a, const T* m, int64_t m_step, T* y, T* det, int64_t n) { \
    HWY_DYNAMIC_DISPATCH(Equation##Name)(f, slope, a, m, m_step, y, det, static_cast<size_t>(n));          \
  }                                                                                                        \
  template <>                                                                                              \
  void ridge_slopes(Ridge f, T slope, const T* a, const T* m, int64_t m_step, T* dh, T* det, T* dl, T* dm, \
                    int64_t n) {                                                                           \
    HWY_DYNAMIC_DISPATCH(Slopes##Name)(f, slope, a, m, m_step, dh, det, dl, dm, static_cast<size_t>(n));   \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel
#endif
