// Loops of runtime/kernel/radial.h.
#include "runtime/kernel/radial.h"

#include <limits>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/radial.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class D>
HWY_INLINE hn::Vec<D> Number(D d, double x) {
  return hn::Set(d, static_cast<hn::TFromD<D>>(x));
}

// The positive root r of r^2 + (b - length) r - alpha length = 0, without cancellation.
template <class D, class V>
HWY_INLINE V RadiusOf(D d, V length, V alpha, V b) {
  const V two = Number(d, 2), c = hn::Sub(length, b);
  const V root = hn::Sqrt(hn::Add(hn::Mul(c, c), hn::Mul(hn::Mul(Number(d, 4), length), alpha)));
  const V near = hn::Div(hn::Mul(hn::Mul(two, length), alpha), hn::Sub(root, c));
  const V r = hn::IfThenElse(hn::Ge(c, hn::Zero(d)), hn::Div(hn::Add(c, root), two), near);
  const V most = Number(d, std::numeric_limits<hn::TFromD<D>>::max() / 4);
  return hn::IfThenElse(hn::Lt(most, r), most, r);
}

template <class T>
void RadialOf(bool inverse, const T* alpha, const T* b, int64_t step, T* r, T* s, T* q, T* factor, size_t n) {
  EachVector<T>(n, [=](auto d, size_t i) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    const V a = LoadStep(d, alpha, step, i), bv = LoadStep(d, b, step, i), length = hn::LoadU(d, r + i);
    const V rv = inverse ? RadiusOf(d, length, a, bv) : length;
    const V ra = hn::Add(rv, a), rb = hn::Add(rv, bv), h = hn::Div(Number(d, 1), ra), sv = hn::Mul(rb, h);
    const V far = hn::Mul(hn::Mul(rv, h), hn::Mul(hn::Add(rv, hn::Mul(Number(d, 2), a)), h));
    hn::StoreU(rv, d, r + i);
    hn::StoreU(sv, d, s + i);
    hn::StoreU(hn::Add(far, hn::Mul(hn::Mul(a, h), hn::Mul(bv, h))), d, q + i);
    hn::StoreU(inverse ? hn::Div(ra, rb) : sv, d, factor + i);
  });
}

template <class T>
void GradOf(bool inverse, T others, const RadialGrad<T>& g, size_t n) {
  EachVector<T>(n, [&](auto d, size_t i) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    const V one = Number(d, 1), two = Number(d, 2), rest = hn::Set(d, others);
    const V alpha = LoadStep(d, g.alpha, g.step, i), b = LoadStep(d, g.b, g.step, i);
    const V r = hn::LoadU(d, g.r + i), s = hn::LoadU(d, g.s + i), q = hn::LoadU(d, g.q + i);
    const V h = hn::Div(one, hn::Add(r, alpha)), hq = hn::Div(h, q);
    const V away = others > 0 ? hn::Div(rest, hn::Add(r, b)) : hn::Zero(d);
    // Slopes of s and of log_det by r, alpha and b.
    const V s_r = hn::Mul(hn::Mul(hn::Sub(alpha, b), h), h), s_a = hn::Mul(hn::Neg(s), h);
    const V two_h = hn::Mul(two, h), rest_h = hn::Mul(rest, h);
    const V l_r = hn::Sub(hn::Add(hn::Sub(away, rest_h), hn::Mul(two, hq)), two_h);
    const V both = hn::Mul(hn::Mul(hn::Add(hn::Mul(two, r), b), h), hq);
    const V l_a = hn::Sub(hn::Sub(both, two_h), rest_h);
    const V l_b = hn::Add(away, hn::Mul(hn::Mul(alpha, h), hq));
    V gl = hn::Zero(d);
    if (g.gl) gl = hn::LoadU(d, g.gl + i);
    if (g.gl && inverse) gl = hn::Neg(gl);
    const V dot = hn::LoadU(d, g.dot + i);
    const V gs = inverse ? hn::Div(hn::Neg(dot), hn::Mul(s, s)) : dot;
    V gr = hn::Add(hn::Mul(gs, s_r), hn::Mul(gl, l_r));
    V ga = hn::Add(hn::Mul(gs, s_a), hn::Mul(gl, l_a)), gb = hn::Add(hn::Mul(gs, h), hn::Mul(gl, l_b));
    if (inverse) {
      gr = hn::Div(gr, q);
      ga = hn::Sub(ga, hn::Mul(hn::Mul(gr, r), s_a));
      gb = hn::Sub(gb, hn::Mul(hn::Mul(gr, r), h));
    }
    const V length = hn::LoadU(d, g.length + i);
    hn::StoreU(ga, d, g.g_alpha + i);
    hn::StoreU(gb, d, g.g_b + i);
    hn::StoreU(inverse ? hn::Div(one, s) : s, d, g.factor + i);
    hn::StoreU(hn::IfThenZeroElse(hn::Eq(length, hn::Zero(d)), hn::Div(gr, length)), d, g.pull + i);
  });
}

#define NF_DEFINE(Name, T)                                                                                           \
  void Radial##Name(bool inverse, const T* alpha, const T* b, int64_t step, T* r, T* s, T* q, T* factor, size_t n) { \
    RadialOf(inverse, alpha, b, step, r, s, q, factor, n);                                                           \
  }                                                                                                                  \
  void Grad##Name(bool inverse, T others, const RadialGrad<T>& g, size_t n) { GradOf(inverse, others, g, n); }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_DISPATCH(Name, T)                                                                                    \
  HWY_EXPORT(Radial##Name);                                                                                     \
  HWY_EXPORT(Grad##Name);                                                                                       \
  template <>                                                                                                   \
  void radial(bool inverse, const T* alpha, const T* b, int64_t step, T* r, T* s, T* q, T* factor, int64_t n) { \
    HWY_DYNAMIC_DISPATCH(Radial##Name)(inverse, alpha, b, step, r, s, q, factor, static_cast<size_t>(n));       \
  }                                                                                                             \
  template <>                                                                                                   \
  void radial_grad(bool inverse, T others, const RadialGrad<T>& g, int64_t n) {                                 \
    HWY_DYNAMIC_DISPATCH(Grad##Name)(inverse, others, g, static_cast<size_t>(n));                               \
  }
NF_DISPATCH(F32, float)
NF_DISPATCH(F64, double)

}  // namespace libnf::kernel
#endif
