// The rules of bijection.h: Y returns the value and the log slope l, G the slope dy and its logarithmic derivative dl.
#include "runtime/kernel/bijection.h"

#include <cmath>
#include <limits>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/bijection.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

#ifndef NF_BIJECTION_CONSTANTS  // this file is read once per target
#define NF_BIJECTION_CONSTANTS
namespace libnf::kernel {
// Values derived from a and b, computed in float64.
template <class T>
struct BijectionConstants {
  T a, b, width, log_slope;
  BijectionConstants(double a_, double b_)
      : a(static_cast<T>(a_)),
        b(static_cast<T>(b_)),
        width(static_cast<T>(1 - 2 * b_)),
        log_slope(static_cast<T>(std::log(a_ / (1 - 2 * b_)))) {}
};
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

#define NF_VALUE                                    \
  template <class D, class V = hn::Vec<D>, class K> \
  static HWY_INLINE V Y([[maybe_unused]] D d, V x, [[maybe_unused]] const K& k, V& l)
#define NF_SLOPES                                                                            \
  template <class D, class V = hn::Vec<D>, class K>                                          \
  static HWY_INLINE void G([[maybe_unused]] D d, [[maybe_unused]] V x, [[maybe_unused]] V y, \
                           [[maybe_unused]] const K& k, V& dy, V& dl)

struct LeakyMap {
  NF_VALUE {
    const auto below = hn::Lt(x, hn::Zero(d));
    l = hn::IfThenElseZero(below, hn::Set(d, k.log_slope));
    return hn::IfThenElse(below, hn::Mul(x, hn::Set(d, k.a)), x);
  }
  NF_SLOPES {
    dy = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, k.a), Const(d, 1));
    dl = hn::Zero(d);
  }
};
struct SigmoidMap {
  NF_VALUE {
    const V u = hn::Mul(x, hn::Set(d, k.a));
    V c;
    const V s = Sigmoid(d, u, c);
    l = hn::Sub(hn::Set(d, k.log_slope), hn::MulAdd(Const(d, 2), Log1pExpMinusAbs(d, u), hn::Abs(u)));
    return hn::Div(hn::Sub(s, hn::Set(d, k.b)), hn::Set(d, k.width));
  }
  NF_SLOPES {
    const V a = hn::Set(d, k.a);
    V c;
    const V s = Sigmoid(d, hn::Mul(x, a), c);
    dy = hn::Div(hn::Mul(a, hn::Mul(s, c)), hn::Set(d, k.width));
    dl = hn::Mul(a, hn::Sub(c, s));
  }
};
struct LogitMap {
  template <class D, class V = hn::Vec<D>, class K>
  static HWY_INLINE void Ends(D d, V x, const K& k, V& p, V& q) {
    p = hn::MulAdd(hn::Set(d, k.width), x, hn::Set(d, k.b));
    q = hn::MulAdd(hn::Set(d, k.width), hn::Sub(Const(d, 1), x), hn::Set(d, k.b));
  }
  NF_VALUE {
    V p, q;
    Ends(d, x, k, p, q);
    p = Log(d, p);
    q = Log(d, q);
    l = hn::Neg(hn::Add(hn::Add(p, q), hn::Set(d, k.log_slope)));
    return hn::Div(hn::Sub(p, q), hn::Set(d, k.a));
  }
  NF_SLOPES {
    V p, q;
    Ends(d, x, k, p, q);
    const V w = hn::Set(d, k.width);
    dy = hn::Div(hn::Div(hn::Div(w, p), q), hn::Set(d, k.a));
    dl = hn::Mul(w, hn::Div(hn::Div(hn::Sub(p, q), p), q));
  }
};
struct TanhMap {
  NF_VALUE {
    const V t = hn::Mul(Const(d, 2), hn::Abs(x));
    l = hn::Sub(Const(d, 1.3862943611198906), hn::MulAdd(Const(d, 2), Log1pExpMinusAbs(d, t), t));
    return Tanh(d, x);
  }
  NF_SLOPES {
    const V e = Exp(d, hn::Mul(Const(d, -2), hn::Abs(x)));
    const V u = hn::Add(Const(d, 1), e);
    dy = hn::Div(hn::Mul(Const(d, 4), e), hn::Mul(u, u));
    dl = hn::Mul(Const(d, -2), y);
  }
};
struct AtanhMap {
  NF_VALUE {
    l = hn::Neg(hn::Add(Log1p(d, x), Log1p(d, hn::Neg(x))));
    return Atanh(d, x);
  }
  NF_SLOPES {
    dy = hn::Div(Const(d, 1), hn::Mul(hn::Sub(Const(d, 1), x), hn::Add(Const(d, 1), x)));
    dl = hn::Mul(hn::Add(x, x), dy);
  }
};
struct SoftplusMap {
  NF_VALUE {
    const V g = Log1pExpMinusAbs(d, x);
    l = hn::Neg(hn::Add(AtLeast(d, hn::Neg(x), 0), g));
    return hn::Add(AtLeast(d, x, 0), g);
  }
  NF_SLOPES { dy = Sigmoid(d, x, dl); }
};
struct InverseSoftplusMap {
  NF_VALUE {
    const V m = hn::Neg(x);
    const V near = Log(d, hn::Neg(Expm1(d, m)));
    const V far = Log1p(d, hn::Neg(Exp(d, m)));
    const V log_gap = hn::IfThenElse(hn::Gt(x, Const(d, 0.6931471805599453)), far, near);
    l = hn::Neg(log_gap);
    return hn::Add(x, log_gap);
  }
  NF_SLOPES {
    dy = hn::Div(Const(d, -1), Expm1(d, hn::Neg(x)));
    dl = hn::Div(Const(d, -1), Expm1(d, x));
  }
};
struct ExpMap {
  NF_VALUE {
    l = x;
    return Exp(d, x);
  }
  NF_SLOPES {
    dy = y;
    dl = Const(d, 1);
  }
};
struct LogMap {
  NF_VALUE {
    const V y = Log(d, x);
    l = hn::Neg(y);
    return y;
  }
  NF_SLOPES {
    dy = hn::Div(Const(d, 1), x);
    dl = hn::Neg(dy);
  }
};
// The slope of the cube root is infinite at 0. At an exact 0 it is that of the smallest number, so that log-determinants
// stay finite; the cube undoes it.
template <class T>
struct CubeAtZero {
  static constexpr double kLogLeast = sizeof(T) == 8 ? -744.4400719213812 : -103.27892990343184;
  static constexpr T kRoot = static_cast<T>(sizeof(T) == 8 ? 1.7031839360032603e-108 : 1.1190346870425529e-15);
};
struct CbrtMap {
  NF_VALUE {
    const auto zero = hn::Eq(x, hn::Zero(d));
    const V log = hn::IfThenElse(zero, Const(d, CubeAtZero<hn::TFromD<D>>::kLogLeast), Log(d, hn::Abs(x)));
    l = hn::MulAdd(log, Const(d, -2.0 / 3), Const(d, -1.0986122886681098));
    return Cbrt(d, x);
  }
  NF_SLOPES {
    const auto zero = hn::Eq(x, hn::Zero(d));
    const V root = hn::IfThenElse(zero, hn::Set(d, CubeAtZero<hn::TFromD<D>>::kRoot), y);
    dy = hn::Div(hn::Div(Const(d, 1.0 / 3), root), root);
    dl = hn::IfThenZeroElse(zero, hn::Div(Const(d, -2.0 / 3), x));
  }
};
struct CubeMap {
  NF_VALUE {
    const auto zero = hn::Eq(x, hn::Zero(d));
    const V log = hn::IfThenElse(zero, Const(d, CubeAtZero<hn::TFromD<D>>::kLogLeast / 3), Log(d, hn::Abs(x)));
    l = hn::MulAdd(log, Const(d, 2), Const(d, 1.0986122886681098));
    return hn::Mul(hn::Mul(x, x), x);
  }
  NF_SLOPES {
    dy = hn::Mul(hn::Mul(Const(d, 3), x), x);
    dl = hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), hn::Div(Const(d, 2), x));
  }
};
struct SoftclipMap {
  // y = x/(1 + r) for |x| <= a, else +-a/(1 + r), with r <= 1: does not overflow, and keeps all digits of small x.
  NF_VALUE {
    const V a = hn::Set(d, k.a), m = hn::Abs(x);
    const auto far = hn::Gt(m, a);
    const V u = hn::Div(m, a), r = hn::IfThenElse(far, hn::Div(a, m), u);
    l = hn::Mul(Const(d, -2), Log1p(d, u));
    return hn::Div(hn::IfThenElse(far, hn::CopySign(a, x), x), hn::Add(Const(d, 1), r));
  }
  NF_SLOPES {
    const V a = hn::Set(d, k.a), m = hn::Abs(x);
    const V q = hn::Div(Const(d, 1), hn::Add(Const(d, 1), hn::Div(m, a)));
    dy = hn::Mul(q, q);
    dl = hn::Div(hn::CopySign(Const(d, 2), hn::Neg(x)), hn::Add(a, m));
    dl = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Zero(d), dl);  // a kink
  }
};
struct InverseSoftclipMap {
  // a - |x| is exact near the end, where it matters.
  NF_VALUE {
    const V a = hn::Set(d, k.a), m = hn::Abs(x);
    const V gap = hn::Sub(a, m), q = hn::Div(gap, a);
    const V near = Log1p(d, hn::Neg(hn::Div(m, a)));
    l = hn::Mul(Const(d, -2), hn::IfThenElse(hn::Gt(m, gap), Log(d, q), near));
    return hn::IfThenElse(hn::Lt(gap, hn::Zero(d)), hn::NaN(d), hn::Div(x, q));
  }
  NF_SLOPES {
    const V a = hn::Set(d, k.a);
    const V gap = hn::Sub(a, hn::Abs(x)), q = hn::Div(a, gap);
    dy = hn::Mul(q, q);
    dl = hn::Div(hn::CopySign(Const(d, 2), x), gap);
    dl = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Zero(d), dl);
  }
};
#undef NF_VALUE
#undef NF_SLOPES

template <class Rule, class T>
HWY_NOINLINE void Values(const BijectionConstants<T>& k, const T* x, T* y, T* log_dy, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> l;
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = Rule::Y(d, hn::LoadU(d, x + i), k, l);
    hn::StoreU(v, d, y + i);
    hn::StoreU(l, d, log_dy + i);
  }
  if (i < n) {
    const auto v = Rule::Y(d, LoadTail(d, x + i, n - i), k, l);
    StoreTail(v, d, y + i, n - i);
    StoreTail(l, d, log_dy + i, n - i);
  }
}

// Absent gradients are skipped, so that an infinite slope times their zero does not give NaN.
template <class Rule, class T>
HWY_NOINLINE void Slopes(const BijectionConstants<T>& k, const T* x, const T* y, const T* gy, const T* gl, T* gx,
                         size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t m = n - i;
    const bool whole = m >= lanes;
    const auto load = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, m); };
    hn::Vec<decltype(d)> dy, dl;
    Rule::G(d, load(x), load(y), k, dy, dl);
    auto sum = load(gx);
    if (gy) sum = hn::MulAdd(load(gy), dy, sum);
    if (gl) sum = hn::MulAdd(load(gl), dl, sum);
    if (whole)
      hn::StoreU(sum, d, gx + i);
    else
      StoreTail(sum, d, gx + i, m);
  }
}

template <class T>
HWY_NOINLINE void Prelu(const T* slope, const T* log_slope, const T* x, T* y, T* log_dy, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t m = n - i;
    const bool whole = m >= lanes;
    const auto load = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, m); };
    const auto v = load(x);
    const auto below = hn::Lt(v, hn::Zero(d));
    const auto out = hn::IfThenElse(below, hn::Mul(v, load(slope)), v);
    const auto l = hn::IfThenElseZero(below, load(log_slope));
    if (whole) {
      hn::StoreU(out, d, y + i);
      hn::StoreU(l, d, log_dy + i);
    } else {
      StoreTail(out, d, y + i, m);
      StoreTail(l, d, log_dy + i, m);
    }
  }
}

template <class T>
HWY_NOINLINE void PreluGrad(const T* slope, T sign, const T* x, const T* y, const T* gy, T gl, T* gx, T* gs, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t m = n - i;
    const bool whole = m >= lanes;
    const auto load = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, m); };
    const auto store = [&](hn::Vec<decltype(d)> v, T* p) HWY_ATTR {
      if (whole)
        hn::StoreU(v, d, p + i);
      else
        StoreTail(v, d, p + i, m);
    };
    const auto below = hn::Lt(load(x), hn::Zero(d));
    if (gx && gy) store(hn::MulAdd(load(gy), hn::IfThenElse(below, load(slope), Const(d, 1)), load(gx)), gx);
    if (gs) {
      const auto row = hn::Set(d, gl);
      const auto g = gy ? hn::MulAdd(load(gy), load(y), row) : row;
      store(hn::MulAdd(hn::Set(d, sign), hn::IfThenElseZero(below, g), load(gs)), gs);
    }
  }
}

// Calls f with the rule's type.
template <class F>
HWY_INLINE void WithRule(Bijection b, const F& f) {
  switch (b) {
    case Bijection::leaky_relu:
      return f(LeakyMap());
    case Bijection::sigmoid:
      return f(SigmoidMap());
    case Bijection::logit:
      return f(LogitMap());
    case Bijection::tanh:
      return f(TanhMap());
    case Bijection::atanh:
      return f(AtanhMap());
    case Bijection::softplus:
      return f(SoftplusMap());
    case Bijection::inverse_softplus:
      return f(InverseSoftplusMap());
    case Bijection::exp:
      return f(ExpMap());
    case Bijection::log:
      return f(LogMap());
    case Bijection::cbrt:
      return f(CbrtMap());
    case Bijection::cube:
      return f(CubeMap());
    case Bijection::softclip:
      return f(SoftclipMap());
    case Bijection::inverse_softclip:
      return f(InverseSoftclipMap());
  }
}

#define NF_DEFINE(Name, T)                                                                                         \
  void Values##Name(Bijection f, const BijectionConstants<T>& k, const T* x, T* y, T* l, size_t n) {               \
    WithRule(f, [&](auto rule) HWY_ATTR { Values<decltype(rule)>(k, x, y, l, n); });                               \
  }                                                                                                                \
  void Slopes##Name(Bijection f, const BijectionConstants<T>& k, const T* x, const T* y, const T* gy, const T* gl, \
                    T* gx, size_t n) {                                                                             \
    WithRule(f, [&](auto rule) HWY_ATTR { Slopes<decltype(rule)>(k, x, y, gy, gl, gx, n); });                      \
  }                                                                                                                \
  void Prelu##Name(const T* s, const T* ls, const T* x, T* y, T* l, size_t n) { Prelu(s, ls, x, y, l, n); }        \
  void PreluGrad##Name(const T* s, T sign, const T* x, const T* y, const T* gy, T gl, T* gx, T* gs, size_t n) {    \
    PreluGrad(s, sign, x, y, gy, gl, gx, gs, n);                                                                   \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_DEFINE(Name, T)                                                                                        \
  HWY_EXPORT(Values##Name);                                                                                       \
  HWY_EXPORT(Slopes##Name);                                                                                       \
  template <>                                                                                                     \
  void bijection(Bijection f, double a, double b, const T* x, T* y, T* log_dy, int64_t n) {                       \
    HWY_DYNAMIC_DISPATCH(Values##Name)(f, BijectionConstants<T>(a, b), x, y, log_dy, static_cast<size_t>(n));     \
  }                                                                                                               \
  template <>                                                                                                     \
  void bijection_grad(Bijection f, double a, double b, const T* x, const T* y, const T* gy, const T* gl, T* gx,   \
                      int64_t n) {                                                                                \
    HWY_DYNAMIC_DISPATCH(Slopes##Name)(f, BijectionConstants<T>(a, b), x, y, gy, gl, gx, static_cast<size_t>(n)); \
  }                                                                                                               \
  HWY_EXPORT(Prelu##Name);                                                                                        \
  HWY_EXPORT(PreluGrad##Name);                                                                                    \
  template <>                                                                                                     \
  void prelu(const T* slope, const T* log_slope, const T* x, T* y, T* log_dy, int64_t n) {                        \
    HWY_DYNAMIC_DISPATCH(Prelu##Name)(slope, log_slope, x, y, log_dy, static_cast<size_t>(n));                    \
  }                                                                                                               \
  template <>                                                                                                     \
  void prelu_grad(const T* slope, T sign, const T* x, const T* y, const T* gy, T gl, T* gx, T* gs, int64_t n) {   \
    HWY_DYNAMIC_DISPATCH(PreluGrad##Name)(slope, sign, x, y, gy, gl, gx, gs, static_cast<size_t>(n));             \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel
#endif
