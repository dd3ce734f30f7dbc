// The rational-quadratic spline of spline.h, with rows as lanes. Softmax, search, evaluation and gradient of a vector
// of rows happen in one pass; the exponentials of its 2 K sizes are kept in a small array that stays in L1.
// Gradients, with g of z and gl of the log slope L = log(s N / D^2), N = r1 t^2 + 2 t u + r0 u^2, v = t u / D:
//   dz/dt = h N/D^2,  dz/dr0 = h v p,  dz/dr1 = -h v q,  dL/dr0 = u^2/N - 2 v,  dL/dr1 = t^2/N - 2 v,
//   dL/dt = 2 (r1 t + u - t - r0 u)/N - 2 (r0 + r1 - 2)(u - t)/D.
// The inverse x = f^-1(z) has the gradients of f with g replaced by -(g - gl' dL/dx)/(dz/dx) and gl by gl' = -gl.
#include "runtime/kernel/spline.h"

#include <cmath>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/spline.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"

#ifndef NF_SPLINE_CONSTANTS  // this file is read once per target
#define NF_SPLINE_CONSTANTS
namespace libnf::kernel {
inline constexpr double kSoftClip = 6.907755278982137;  // log 1000
inline constexpr double kMaxRatio = 1e12;               // of a slope to that of its bin; its square fits in a float32

// One axis: knot k is at origin + k step + span P, with P the sum of the first k softmax shares.
template <class T>
struct SplineAxis {
  T low, high, step, span;
  SplineAxis(double low_, double high_, double least, int64_t bins)
      : low(static_cast<T>(low_)),
        high(static_cast<T>(high_)),
        step(static_cast<T>((high_ - low_) * least)),
        span(static_cast<T>((high_ - low_) * (1 - least * static_cast<double>(bins)))) {}
};
template <class T>
struct SplineConstants {
  size_t bins, slopes;
  SplineTails tails;
  bool soft_clip;
  SplineAxis<T> x, y;
  T raw_scale, min_derivative, beta, inverse_beta, period;
  SplineConstants(const SplineShape& s, const SplineBox& b)
      : bins(static_cast<size_t>(s.bins)),
        slopes(static_cast<size_t>(slope_count(s.bins, b.tails))),
        tails(b.tails),
        soft_clip(s.soft_clip),
        x(b.low, b.high, s.soft_clip ? 0 : s.min_width, s.bins),
        y(b.bottom, b.top, s.soft_clip ? 0 : s.min_height, s.bins),
        raw_scale(static_cast<T>(s.raw_scale)),
        min_derivative(static_cast<T>(s.min_derivative)),
        beta(static_cast<T>(s.beta)),
        inverse_beta(static_cast<T>(1 / s.beta)),
        period(static_cast<T>(b.high - b.low)) {}
};
template <class T>
struct SplineGrads {
  const T *g_out, *g_log_det;
  T *g_in, *g_params;
};
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

template <class T>
using SplineTag = hn::CappedTag<T, 64 / sizeof(T)>;
template <class T>
constexpr size_t kSplineExps = 2 * kMaxSplineBins * 64 / sizeof(T);

// Returns v / (1 + |v| / bound) and its slope, for soft_clip.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SoftClip(D d, V v, double bound, V& slope) {
  const V one = Const(d, 1);
  const V shrink = hn::Div(one, hn::MulAdd(hn::Abs(v), Const(d, 1 / bound), one));
  slope = hn::Mul(shrink, shrink);
  // For infinite v, |v| / (1 + |v|) would be inf * 0.
  return hn::IfThenElse(hn::Eq(shrink, hn::Zero(d)), hn::CopySign(Const(d, bound), v), hn::Mul(v, shrink));
}

// Returns the raw size as the softmax uses it; `slope` (relative to raw_scale) is set for soft_clip only.
template <class D, class K, class V = hn::Vec<D>>
HWY_INLINE V RawSize(D d, const K& c, V raw, V& slope) {
  const V v = hn::Mul(raw, hn::Set(d, c.raw_scale));
  return c.soft_clip ? SoftClip(d, v, kSoftClip / 2, slope) : v;
}

// Writes e^(v - max v) of the sizes to e[k * Lanes]; returns 1 / their sum.
template <class D, class K, class Load, class T = hn::TFromD<D>, class V = hn::Vec<D>>
HWY_INLINE V Exponentials(D d, const K& c, const Load& load, size_t first, T* HWY_RESTRICT e) {
  const size_t lanes = hn::Lanes(d);
  V slope;
  V top = RawSize(d, c, load(first), slope);
  hn::Store(top, d, e);
  for (size_t k = 1; k < c.bins; ++k) {
    const V v = RawSize(d, c, load(first + k), slope);
    hn::Store(v, d, e + k * lanes);
    top = hn::Max(top, v);
  }
  V sum = hn::Zero(d);
  for (size_t k = 0; k < c.bins; ++k) {
    const V v = Exp(d, hn::Sub(hn::Load(d, e + k * lanes), top));
    hn::Store(v, d, e + k * lanes);
    sum = hn::Add(sum, v);
  }
  return hn::Div(Const(d, 1), sum);
}

// The bin of a point: its number, corner and size, and its part in the softmaxes.
template <class V>
struct Bin {
  V k, x0, y0, w, h;
  V before_x, before_y, share_x, share_y;  // shares of the bins before this one, and of this one
  V norm_x, norm_y;                        // 1 / sum of exponentials
  V raw0, raw1;                            // raw slopes at its ends
};

// Returns the index of a knot's slope among the parameters; arbitrary for ends without one.
template <class K>
HWY_INLINE size_t SlopeOf(const K& c, size_t knot) {
  if (c.tails == SplineTails::none) return knot;
  if (c.tails == SplineTails::circular) return knot == c.bins ? 0 : knot;
  return knot == 0 || knot == c.bins ? 0 : knot - 1;
}

template <bool kInverse, class D, class K, class Load, class T = hn::TFromD<D>, class V = hn::Vec<D>>
HWY_INLINE Bin<V> FindBin(D d, const K& c, const Load& load, V at, T* HWY_RESTRICT e) {
  const size_t lanes = hn::Lanes(d);
  const auto slope = [&](size_t knot) HWY_ATTR { return c.slopes ? load(2 * c.bins + SlopeOf(c, knot)) : hn::Zero(d); };
  T* HWY_RESTRICT ey = e + c.bins * lanes;
  Bin<V> b;
  b.norm_x = Exponentials(d, c, load, 0, e);
  b.norm_y = Exponentials(d, c, load, c.bins, ey);
  const auto& axis = kInverse ? c.y : c.x;
  const V span = hn::Set(d, axis.span);
  b.k = b.before_x = b.before_y = hn::Zero(d);
  b.share_x = hn::Mul(hn::Load(d, e), b.norm_x);
  b.share_y = hn::Mul(hn::Load(d, ey), b.norm_y);
  b.raw0 = slope(0);
  V next_raw = b.raw1 = slope(1);
  V sum_x = b.share_x, sum_y = b.share_y;
  V edge = hn::Set(d, axis.low);
  for (size_t k = 1; k < c.bins; ++k) {
    const V knot = hn::MulAdd(span, kInverse ? sum_y : sum_x, hn::Set(d, axis.low + static_cast<T>(k) * axis.step));
    const auto here = hn::Ge(at, knot);
    const V share_x = hn::Mul(hn::Load(d, e + k * lanes), b.norm_x);
    const V share_y = hn::Mul(hn::Load(d, ey + k * lanes), b.norm_y);
    edge = hn::IfThenElse(here, knot, edge);
    b.k = hn::IfThenElse(here, hn::Set(d, static_cast<T>(k)), b.k);
    b.before_x = hn::IfThenElse(here, sum_x, b.before_x);
    b.before_y = hn::IfThenElse(here, sum_y, b.before_y);
    b.share_x = hn::IfThenElse(here, share_x, b.share_x);
    b.share_y = hn::IfThenElse(here, share_y, b.share_y);
    b.raw0 = hn::IfThenElse(here, next_raw, b.raw0);
    next_raw = slope(k + 1);
    b.raw1 = hn::IfThenElse(here, next_raw, b.raw1);
    sum_x = hn::Add(sum_x, share_x);
    sum_y = hn::Add(sum_y, share_y);
  }
  const auto corner = [&](const auto& a, V before) HWY_ATTR {
    return hn::MulAdd(hn::Set(d, a.span), before, hn::MulAdd(b.k, hn::Set(d, a.step), hn::Set(d, a.low)));
  };
  b.x0 = kInverse ? corner(c.x, b.before_x) : edge;
  b.y0 = kInverse ? edge : corner(c.y, b.before_y);
  b.w = hn::MulAdd(hn::Set(d, c.x.span), b.share_x, hn::Set(d, c.x.step));
  b.h = hn::MulAdd(hn::Set(d, c.y.span), b.share_y, hn::Set(d, c.y.step));
  return b;
}

// Returns the slope d for a raw slope, and dd/draw.
template <class D, class K, class V = hn::Vec<D>>
HWY_INLINE V SlopeFromRaw(D d, const K& c, V raw, V& change) {
  V y;
  if (c.soft_clip) {
    y = Exp(d, SoftClip(d, raw, kSoftClip, change));
    change = hn::Mul(change, y);
  } else {
    const V v = hn::Mul(raw, hn::Set(d, c.beta));
    const V e = Exp(d, hn::Neg(hn::Abs(v)));
    const V one = Const(d, 1);
    const V big = hn::Div(one, hn::Add(one, e));
    change = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(e, big), big);
    y = hn::MulAdd(Log1p(d, e), hn::Set(d, c.inverse_beta), AtLeast(d, raw, 0));
    y = hn::Add(y, hn::Set(d, c.min_derivative));
  }
  change = hn::IfThenElseZero(hn::Lt(y, Const(d, kMaxRatio)), change);
  return AtMost(d, y, static_cast<hn::TFromD<D>>(kMaxRatio));
}

template <class V>
struct Slopes {
  V d0, d1, change0, change1, s, r0, r1;
};
template <class D, class K, class V = hn::Vec<D>>
HWY_INLINE Slopes<V> SlopesOf(D d, const K& c, const Bin<V>& b) {
  Slopes<V> v;
  v.d0 = SlopeFromRaw(d, c, b.raw0, v.change0);
  v.d1 = SlopeFromRaw(d, c, b.raw1, v.change1);
  if (c.tails == SplineTails::linear) {
    const V one = Const(d, 1);
    v.d0 = hn::IfThenElse(hn::Eq(b.k, hn::Zero(d)), one, v.d0);
    v.d1 = hn::IfThenElse(hn::Eq(b.k, hn::Set(d, static_cast<hn::TFromD<D>>(c.bins - 1))), one, v.d1);
  }
  v.s = hn::Div(b.h, b.w);
  v.r0 = AtMost(d, hn::Div(v.d0, v.s), static_cast<hn::TFromD<D>>(kMaxRatio));
  v.r1 = AtMost(d, hn::Div(v.d1, v.s), static_cast<hn::TFromD<D>>(kMaxRatio));
  return v;
}

// The position of a point in its bin.
template <class V>
struct Place {
  V t, u, tu, D, N;
};
template <bool kInverse, class D, class V = hn::Vec<D>>
HWY_INLINE Place<V> PlaceOf(D d, const Bin<V>& b, const Slopes<V>& v, V at) {
  const V one = Const(d, 1), two = Const(d, 2);
  Place<V> a;
  if constexpr (kInverse) {
    const V q = AtMost(d, hn::Div(hn::Sub(at, b.y0), b.h), 1), p = hn::Sub(one, q);
    const V e = hn::NegMulAdd(q, v.r1, hn::Mul(p, v.r0));
    const V four = hn::Mul(Const(d, 4), hn::Mul(p, q));
    const V big = hn::Add(hn::Abs(e), hn::Sqrt(hn::MulAdd(e, e, four)));
    const V sum = hn::IfThenElse(hn::Lt(e, hn::Zero(d)), hn::Div(four, big), big);  // e + sqrt
    const V q2 = hn::Mul(two, q), whole = hn::Add(q2, sum);
    a.t = hn::Div(q2, whole);
    a.u = hn::Div(sum, whole);
  } else {
    a.t = AtMost(d, hn::Div(hn::Sub(at, b.x0), b.w), 1);
    a.u = hn::Sub(one, a.t);
  }
  a.tu = hn::Mul(a.t, a.u);
  const V squares = hn::MulAdd(a.t, a.t, hn::Mul(a.u, a.u));
  a.D = hn::MulAdd(hn::Add(v.r0, v.r1), a.tu, squares);
  a.N = hn::MulAdd(hn::Mul(v.r1, a.t), a.t, hn::MulAdd(hn::Mul(v.r0, a.u), a.u, hn::Mul(two, a.tu)));
  return a;
}

// Returns which rows are in the box, and replaces the others by a harmless point; circular: wraps them into the box.
template <class D, class K, class A, class V = hn::Vec<D>>
HWY_INLINE hn::Mask<D> Enter(D d, const K& c, const A& axis, V& at, V& offset) {
  using T = hn::TFromD<D>;
  const V low = hn::Set(d, axis.low);
  auto inside = hn::And(hn::Ge(at, low), hn::Le(at, hn::Set(d, axis.high)));
  offset = hn::Zero(d);
  if (c.tails == SplineTails::circular) {
    const V turns = hn::Floor(hn::Div(hn::Sub(at, low), hn::Set(d, c.period)));
    // Further out, a number has lost half its digits within a period.
    const auto near = hn::Lt(hn::Abs(turns), Const(d, sizeof(T) == 4 ? 2048 : 67108864));
    const auto moved = hn::AndNot(inside, near);
    offset = hn::IfThenElseZero(moved, hn::Mul(turns, hn::Set(d, c.period)));
    at = AtLeast(d, AtMost(d, hn::Sub(at, offset), axis.high), axis.low);
    inside = near;
  }
  at = hn::IfThenElse(inside, at, hn::IfThenElse(hn::Gt(at, low), hn::Set(d, axis.high), low));
  return inside;
}

template <bool kInverse, class T>
HWY_NOINLINE void Spline(const SplineConstants<T>& c, const SplineRows<T>& rows, T* out, T* log_det) {
  const SplineTag<T> d;
  using V = hn::Vec<decltype(d)>;
  HWY_ALIGN T e[kSplineExps<T>];
  const size_t lanes = hn::Lanes(d), n = static_cast<size_t>(rows.n), stride = static_cast<size_t>(rows.stride);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t rest = n - i;
    const bool whole = rest >= lanes;
    const auto read = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, rest); };
    const auto load = [&](size_t number) HWY_ATTR { return read(rows.params + number * stride); };
    const V given = read(rows.in);
    V at = given, offset;
    const auto& from = kInverse ? c.y : c.x;
    const auto& to = kInverse ? c.x : c.y;
    const auto inside = Enter(d, c, from, at, offset);
    const Bin<V> b = FindBin<kInverse>(d, c, load, at, e);
    const Slopes<V> v = SlopesOf(d, c, b);
    const Place<V> a = PlaceOf<kInverse>(d, b, v, at);
    V y;
    if constexpr (kInverse)
      y = hn::MulAdd(b.w, a.t, b.x0);
    else
      y = hn::MulAdd(b.h, hn::Div(hn::Mul(a.t, hn::MulAdd(v.r0, a.u, a.t)), a.D), b.y0);
    y = AtLeast(d, AtMost(d, y, to.high), to.low);
    y = hn::Add(y, offset);
    V slope = hn::Mul(v.s, hn::Div(hn::Div(a.N, a.D), a.D));
    if (c.tails == SplineTails::none) {  // tangents at the ends
      const auto above = hn::Gt(given, hn::Set(d, from.high));
      const V m = hn::IfThenElse(above, v.d1, v.d0);
      const V far = hn::Sub(given, hn::IfThenElse(above, hn::Set(d, from.high), hn::Set(d, from.low)));
      const V end = hn::IfThenElse(above, hn::Set(d, to.high), hn::Set(d, to.low));
      y = hn::IfThenElse(inside, y, kInverse ? hn::Add(end, hn::Div(far, m)) : hn::MulAdd(far, m, end));
      slope = hn::IfThenElse(inside, slope, m);
    } else {
      y = hn::IfThenElse(inside, y, given);
    }
    V l = Log(d, slope);
    if constexpr (kInverse) l = hn::Neg(l);
    if (c.tails != SplineTails::none) l = hn::IfThenElseZero(inside, l);
    l = hn::Add(read(log_det), l);
    if (whole) {
      hn::StoreU(y, d, out + i);
      hn::StoreU(l, d, log_det + i);
    } else {
      StoreTail(y, d, out + i, rest);
      StoreTail(l, d, log_det + i, rest);
    }
  }
}

// Computes the gradient of raw sizes through the softmax: shares i < k move the corner, share k the size of the bin.
template <class D, class K, class Load, class Put, class T = hn::TFromD<D>, class V = hn::Vec<D>>
HWY_INLINE void SizeGrads(D d, const K& c, const Load& load, const Put& put, size_t first, const T* HWY_RESTRICT e,
                          V norm, V k, V before, V share, T span, V g_corner, V g_size) {
  const size_t lanes = hn::Lanes(d);
  g_corner = hn::Mul(g_corner, hn::Set(d, span));
  g_size = hn::Mul(g_size, hn::Set(d, span));
  const V mean = hn::MulAdd(g_corner, before, hn::Mul(g_size, share));
  const V g_before = hn::Sub(g_corner, mean), g_here = hn::Sub(g_size, mean), g_behind = hn::Neg(mean);
  norm = hn::Mul(norm, hn::Set(d, c.raw_scale));
  for (size_t i = 0; i < c.bins; ++i) {
    const V number = hn::Set(d, static_cast<T>(i));
    const V g = hn::IfThenElse(hn::Lt(number, k), g_before, hn::IfThenElse(hn::Eq(number, k), g_here, g_behind));
    V scale = hn::Mul(hn::Load(d, e + i * lanes), norm);
    if (c.soft_clip) {
      V slope;
      RawSize(d, c, load(first + i), slope);
      scale = hn::Mul(scale, slope);
    }
    put(first + i, hn::Mul(scale, g));
  }
}

template <class D, class K, class Put, class T = hn::TFromD<D>, class V = hn::Vec<D>>
HWY_INLINE void SlopeGrads(D d, const K& c, const Put& put, V k, V g0, V g1) {
  const V zero = hn::Zero(d);
  for (size_t j = 0; j < c.slopes; ++j) {
    const size_t knot = c.tails == SplineTails::linear ? j + 1 : j;
    const size_t before = c.tails == SplineTails::circular && j == 0 ? c.bins - 1 : knot - 1;  // may wrap, to no bin
    V g = hn::IfThenElseZero(hn::Eq(k, hn::Set(d, static_cast<T>(knot))), g0);
    if (before < c.bins) g = hn::Add(g, hn::IfThenElse(hn::Eq(k, hn::Set(d, static_cast<T>(before))), g1, zero));
    put(2 * c.bins + j, g);
  }
}

template <bool kInverse, class T>
HWY_NOINLINE void SplineGrad(const SplineConstants<T>& c, const SplineRows<T>& rows, const SplineGrads<T>& grads) {
  const SplineTag<T> d;
  using V = hn::Vec<decltype(d)>;
  HWY_ALIGN T e[kSplineExps<T>];
  const size_t lanes = hn::Lanes(d), n = static_cast<size_t>(rows.n), stride = static_cast<size_t>(rows.stride);
  const V one = Const(d, 1), two = Const(d, 2);
  for (size_t i = 0; i < n; i += lanes) {
    const size_t rest = n - i;
    const bool whole = rest >= lanes;
    const auto read = [&](const T* p) HWY_ATTR { return whole ? hn::LoadU(d, p + i) : LoadTail(d, p + i, rest); };
    const auto load = [&](size_t number) HWY_ATTR { return read(rows.params + number * stride); };
    const auto store = [&](V value, T* p) HWY_ATTR {
      if (whole)
        hn::StoreU(value, d, p + i);
      else
        StoreTail(value, d, p + i, rest);
    };
    const auto put = [&](size_t number, V value) HWY_ATTR { store(value, grads.g_params + number * stride); };
    const V given = read(rows.in);
    V at = given, offset;
    const auto& from = kInverse ? c.y : c.x;
    const auto inside = Enter(d, c, from, at, offset);
    const Bin<V> b = FindBin<kInverse>(d, c, load, at, e);
    const Slopes<V> v = SlopesOf(d, c, b);
    const Place<V> a = PlaceOf<kInverse>(d, b, v, at);

    const V gy = grads.g_out ? read(grads.g_out) : hn::Zero(d),
            gl = grads.g_log_det ? read(grads.g_log_det) : hn::Zero(d);
    const V per_D = hn::Div(one, a.D), per_N = hn::Div(one, a.N), per_w = hn::Div(one, b.w), per_s = hn::Div(one, v.s);
    const V q = hn::Mul(hn::Mul(a.t, hn::MulAdd(v.r0, a.u, a.t)), per_D);
    const V p = hn::Mul(hn::Mul(a.u, hn::MulAdd(v.r1, a.t, a.u)), per_D);
    const V f = hn::Mul(hn::Mul(a.N, per_D), per_D);  // (dz/dx) / s
    const V v2 = hn::Mul(two, hn::Mul(a.tu, per_D));
    const V gap = hn::Sub(a.u, a.t);
    const V turn = hn::NegMulAdd(v.r0, a.u, hn::MulAdd(v.r1, a.t, gap));
    const V rise = hn::Mul(hn::Mul(hn::Sub(hn::Add(v.r0, v.r1), two), gap), per_D);
    const V dl_dt = hn::Mul(two, hn::MulSub(turn, per_N, rise));
    V gz = gy, gL = gl, g_in;
    if constexpr (kInverse) {
      const V g_x = hn::NegMulAdd(gl, hn::Mul(dl_dt, per_w), gy);
      g_in = hn::Div(g_x, hn::Mul(v.s, f));
      gz = hn::Neg(g_in);
      gL = hn::Neg(gl);
    }
    const V gq = hn::Mul(gz, b.h);
    const V gt = hn::MulAdd(gq, f, hn::Mul(gL, dl_dt));
    const V half_gq = hn::Mul(hn::Mul(gq, v2), Const(d, 0.5));
    const V most = Const(d, kMaxRatio);
    const V g_r0 = hn::MulAdd(half_gq, p, hn::Mul(gL, hn::MulSub(hn::Mul(a.u, a.u), per_N, v2)));
    const V g_r1 = hn::NegMulAdd(half_gq, q, hn::Mul(gL, hn::MulSub(hn::Mul(a.t, a.t), per_N, v2)));
    const V g_d0 = hn::IfThenElseZero(hn::Lt(v.r0, most), hn::Mul(g_r0, per_s));
    const V g_d1 = hn::IfThenElseZero(hn::Lt(v.r1, most), hn::Mul(g_r1, per_s));
    // s also enters through r0 and r1.
    const V g_s = hn::NegMulAdd(g_d1, v.r1, hn::NegMulAdd(g_d0, v.r0, hn::Mul(gL, per_s)));
    const V inside_h = hn::MulAdd(g_s, per_w, hn::Mul(gz, q));
    const V inside_w = hn::Neg(hn::Mul(hn::MulAdd(g_s, v.s, hn::Mul(gt, a.t)), per_w));
    const V g_at = hn::Mul(gt, per_w);
    if constexpr (!kInverse) g_in = g_at;

    V g_raw0 = hn::IfThenElseZero(inside, hn::Mul(g_d0, v.change0));
    V g_raw1 = hn::IfThenElseZero(inside, hn::Mul(g_d1, v.change1));
    if (c.tails == SplineTails::none) {  // y = end + m far, or end + far / m
      const auto above = hn::Gt(given, hn::Set(d, from.high));
      const auto below = hn::Lt(given, hn::Set(d, from.low));
      const V m = hn::IfThenElse(above, v.d1, v.d0);
      const V far = hn::Sub(given, hn::IfThenElse(above, hn::Set(d, from.high), hn::Set(d, from.low)));
      V g_m;
      if constexpr (kInverse) {
        g_m = hn::Neg(hn::Div(hn::MulAdd(gy, hn::Div(far, m), gl), m));
        g_in = hn::IfThenElse(inside, g_in, hn::Div(gy, m));
      } else {
        g_m = hn::MulAdd(gy, far, hn::Div(gl, m));
        g_in = hn::IfThenElse(inside, g_in, hn::Mul(gy, m));
      }
      g_raw0 = hn::IfThenElse(below, hn::Mul(g_m, v.change0), g_raw0);
      g_raw1 = hn::IfThenElse(above, hn::Mul(g_m, v.change1), g_raw1);
    } else {
      g_in = hn::IfThenElse(inside, g_in, gy);
    }
    store(g_in, grads.g_in);
    SizeGrads(d, c, load, put, 0, e, b.norm_x, b.k, b.before_x, b.share_x, c.x.span,
              hn::IfThenElseZero(inside, hn::Neg(g_at)), hn::IfThenElseZero(inside, inside_w));
    SizeGrads(d, c, load, put, c.bins, e + c.bins * lanes, b.norm_y, b.k, b.before_y, b.share_y, c.y.span,
              hn::IfThenElseZero(inside, gz), hn::IfThenElseZero(inside, inside_h));
    SlopeGrads(d, c, put, b.k, g_raw0, g_raw1);
  }
}

#define NF_DEFINE(Name, T)                                                                                      \
  void Spline##Name(const SplineConstants<T>& c, bool inverse, const SplineRows<T>& rows, T* out, T* log_det) { \
    inverse ? Spline<true>(c, rows, out, log_det) : Spline<false>(c, rows, out, log_det);                       \
  }                                                                                                             \
  void SplineGrad##Name(const SplineConstants<T>& c, bool inverse, const SplineRows<T>& rows,                   \
                        const SplineGrads<T>& grads) {                                                          \
    inverse ? SplineGrad<true>(c, rows, grads) : SplineGrad<false>(c, rows, grads);                             \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_DEFINE(Name, T)                                                                                           \
  HWY_EXPORT(Spline##Name);                                                                                          \
  HWY_EXPORT(SplineGrad##Name);                                                                                      \
  template <>                                                                                                        \
  void rational_spline(const SplineShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows,      \
                       T* out, T* log_det) {                                                                         \
    HWY_DYNAMIC_DISPATCH(Spline##Name)(SplineConstants<T>(shape, box), inverse, rows, out, log_det);                 \
  }                                                                                                                  \
  template <>                                                                                                        \
  void rational_spline_grad(const SplineShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows, \
                            const T* g_out, const T* g_log_det, T* g_in, T* g_params) {                              \
    HWY_DYNAMIC_DISPATCH(SplineGrad##Name)                                                                           \
    (SplineConstants<T>(shape, box), inverse, rows, SplineGrads<T>{g_out, g_log_det, g_in, g_params});               \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel
#endif
