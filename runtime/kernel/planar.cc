// Loops of runtime/kernel/planar.h.
#include "runtime/kernel/planar.h"

#include <limits>

#include "runtime/kernel/dispatch.h"
#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/planar.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class D>
HWY_INLINE auto NoDirection(D d, hn::Vec<D> q) {
  return hn::Lt(q, hn::Set(d, std::numeric_limits<hn::TFromD<D>>::min()));
}

template <class T>
void ConstrainOf(const T* q, T least, T* m, T* k, size_t n) {
  EachVector<T>(n, [=](auto d, size_t i) HWY_ATTR {
    const auto one = hn::Set(d, T(1)), qv = hn::LoadU(d, q + i), low = hn::Set(d, least);
    const auto none = NoDirection(d, qv);
    const auto mv = hn::LoadU(d, m + i);
    const auto floored = hn::Lt(mv, low);
    const auto raised = hn::Add(hn::LoadU(d, k + i), hn::IfThenElseZero(floored, hn::Sub(low, mv)));
    hn::StoreU(hn::IfThenElse(none, one, hn::IfThenElse(floored, low, mv)), d, m + i);
    hn::StoreU(hn::IfThenZeroElse(none, hn::Div(hn::Sub(raised, one), qv)), d, k + i);
  });
}

template <class T>
void ConstrainGradOf(const T* q, const T* m, T least, const T* gm, const T* sigma, const T* other, T* gk, T* gs,
                     size_t n) {
  EachVector<T>(n, [=](auto d, size_t i) HWY_ATTR {
    const auto qv = hn::LoadU(d, q + i);
    const auto none = NoDirection(d, qv), floored = hn::Le(hn::LoadU(d, m + i), hn::Set(d, least));
    const auto g = hn::IfThenZeroElse(none, hn::Div(hn::LoadU(d, gk + i), qv));
    const auto by_m = hn::IfThenZeroElse(floored, hn::Mul(hn::LoadU(d, gm + i), hn::LoadU(d, sigma + i)));
    const auto by_k = hn::IfThenElse(floored, hn::Set(d, T(1)), hn::LoadU(d, other + i));
    const auto s = hn::Sub(by_m, hn::Mul(g, by_k));
    hn::StoreU(g, d, gk + i);
    hn::StoreU(hn::IfThenZeroElse(none, s), d, gs + i);
  });
}

template <class T>
void DirectionGradOf(const T* k, const T* gs, const T* gk, const T* u, const T* w, T* gu, T* gw, size_t n) {
  EachVector<T>(n, [=](auto d, size_t i) HWY_ATTR {
    const auto kv = hn::LoadU(d, k + i), s = hn::LoadU(d, gs + i), wv = hn::LoadU(d, w + i), g = hn::LoadU(d, gu + i);
    const auto both = hn::Add(hn::Mul(kv, g), hn::Mul(s, hn::LoadU(d, u + i)));
    const auto lost = hn::Mul(hn::Mul(hn::Set(d, T(2)), hn::Mul(kv, wv)), hn::LoadU(d, gk + i));
    hn::StoreU(hn::Add(hn::LoadU(d, gw + i), hn::Sub(both, lost)), d, gw + i);
    hn::StoreU(hn::Add(g, hn::Mul(s, wv)), d, gu + i);
  });
}

template <class T>
void PlanarGradOf(T sign, const T* gl, const T* dh, const T* det, const T* dl, const T* h0, T* ga, T* dm, T* h,
                  size_t n) {
  EachVector<T>(n, [=](auto d, size_t i) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    const V s = hn::Set(d, sign);
    V g = hn::Zero(d);
    if (gl) g = hn::Mul(s, hn::LoadU(d, gl + i));
    V a = hn::Add(hn::Mul(hn::Mul(s, hn::LoadU(d, dh + i)), hn::LoadU(d, ga + i)), hn::Mul(g, hn::LoadU(d, dl + i)));
    V m = hn::Mul(hn::LoadU(d, dm + i), g);
    const V hv = hn::Mul(s, hn::LoadU(d, h0 + i));
    if (sign < 0) {
      a = hn::Div(a, hn::LoadU(d, det + i));
      m = hn::Add(m, hn::Mul(a, hv));
    }
    hn::StoreU(a, d, ga + i);
    hn::StoreU(m, d, dm + i);
    hn::StoreU(hv, d, h + i);
  });
}

#define NF_DEFINE(Name, T)                                                                                             \
  void Constrain##Name(const T* q, T least, T* m, T* k, size_t n) { ConstrainOf(q, least, m, k, n); }                  \
  void ConstrainGrad##Name(const T* q, const T* m, T least, const T* gm, const T* sigma, const T* other, T* gk, T* gs, \
                           size_t n) {                                                                                 \
    ConstrainGradOf(q, m, least, gm, sigma, other, gk, gs, n);                                                         \
  }                                                                                                                    \
  void DirectionGrad##Name(const T* k, const T* gs, const T* gk, const T* u, const T* w, T* gu, T* gw, size_t n) {     \
    DirectionGradOf(k, gs, gk, u, w, gu, gw, n);                                                                       \
  }                                                                                                                    \
  void PlanarGrad##Name(T sign, const T* gl, const T* dh, const T* det, const T* dl, const T* h0, T* ga, T* dm, T* h,  \
                        size_t n) {                                                                                    \
    PlanarGradOf(sign, gl, dh, det, dl, h0, ga, dm, h, n);                                                             \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_N static_cast<size_t>(n)

#define NF_P(T) (const T* q, T least, T* m, T* k, int64_t n)
NF_DISPATCH(planar_constrain, Constrain, NF_P, (q, least, m, k, NF_N))
#undef NF_P
#define NF_P(T) (const T* q, const T* m, T least, const T* gm, const T* sigma, const T* other, T* gk, T* gs, int64_t n)
NF_DISPATCH(planar_constrain_grad, ConstrainGrad, NF_P, (q, m, least, gm, sigma, other, gk, gs, NF_N))
#undef NF_P
#define NF_P(T) (const T* k, const T* gs, const T* gk, const T* u, const T* w, T* gu, T* gw, int64_t n)
NF_DISPATCH(planar_direction_grad, DirectionGrad, NF_P, (k, gs, gk, u, w, gu, gw, NF_N))
#undef NF_P
#define NF_P(T) \
  (T sign, const T* gl, const T* dh, const T* det, const T* dl, const T* h0, T* ga, T* dm, T* h, int64_t n)
NF_DISPATCH(planar_grad, PlanarGrad, NF_P, (sign, gl, dh, det, dl, h0, ga, dm, h, NF_N))
#undef NF_P

}  // namespace libnf::kernel
#endif
