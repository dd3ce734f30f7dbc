// Knots of the splines of spline_pieces.h for a vector of rows, in float64: sizes and slopes from raw parameters, the
// bin of a point, and gradients from that bin back to the raw parameters. Exponentials of sizes and densities are kept
// in small arrays. Included once per SIMD target.
#if defined(NF_KERNEL_SPLINE_KNOTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NF_KERNEL_SPLINE_KNOTS_INL_H_
#undef NF_KERNEL_SPLINE_KNOTS_INL_H_
#else
#define NF_KERNEL_SPLINE_KNOTS_INL_H_
#endif

#include <cmath>

#include "runtime/kernel/math-inl.h"
#include "runtime/kernel/span-inl.h"
#include "runtime/kernel/spline_pieces.h"

#ifndef NF_PIECES_PLAN  // this file is read once per target
#define NF_PIECES_PLAN
namespace libnf::kernel {
inline constexpr double kMostRaw = 1e12;  // cap of raw densities, so that areas do not overflow

// A spline in one direction: the interval that points come from, and the one they are mapped to.
struct PiecesPlan {
  PiecesShape s;
  size_t bins, per;
  bool open, inverse;
  double low, high, size, to, to_size;
  PiecesPlan(const PiecesShape& shape, const SplineBox& b, bool inverse_)
      : s(shape),
        bins(static_cast<size_t>(shape.bins)),
        per(static_cast<size_t>(pieces_params(shape.pieces, shape.bins, b.tails))),
        open(b.tails == SplineTails::none),
        inverse(inverse_),
        low(inverse ? b.bottom : b.low),
        high(inverse ? b.top : b.high),
        size(high - low),
        to(inverse ? b.low : b.bottom),
        to_size(inverse ? b.high - b.low : b.top - b.bottom) {}
};
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

using D = hn::CappedTag<double, 8>;
using V = hn::Vec<D>;
using M = hn::Mask<D>;
constexpr size_t kNumbers = (kMaxSplineBins + 1) * 8;  // size of an array with one number per bin or knot and lane

HWY_INLINE V Number(double x) { return hn::Set(D(), x); }
HWY_INLINE V NumberOf(size_t k) { return hn::Set(D(), static_cast<double>(k)); }
HWY_INLINE V At(const double* p, size_t k) { return hn::Load(D(), p + k * hn::Lanes(D())); }
HWY_INLINE void Put(V v, double* p, size_t k) { hn::Store(v, D(), p + k * hn::Lanes(D())); }

// Accesses a vector of rows in arrays of T.
template <class T>
struct Lane {
  size_t first, rest;
  HWY_INLINE V read(const T* p) const {
    const hn::Rebind<T, D> d;
    const auto v = rest >= hn::Lanes(d) ? hn::LoadU(d, p + first) : LoadTail(d, p + first, rest);
    if constexpr (sizeof(T) == sizeof(double))
      return v;
    else
      return hn::PromoteTo(D(), v);
  }
  HWY_INLINE void write(V x, T* p) const {
    const hn::Rebind<T, D> d;
    hn::Vec<decltype(d)> v;
    if constexpr (sizeof(T) == sizeof(double))
      v = x;
    else
      v = hn::DemoteTo(d, x);
    if (rest >= hn::Lanes(d))
      hn::StoreU(v, d, p + first);
    else
      StoreTail(v, d, p + first, rest);
  }
};

// Sizes least + (1 - n least) softmax(raw); the shares are those of the softmax.
struct Sizes {
  const double* e;
  V norm;
  double least, span;
  HWY_INLINE V share(size_t k) const { return hn::Mul(At(e, k), norm); }
  HWY_INLINE V of(V share) const { return hn::MulAdd(Number(span), share, Number(least)); }
  HWY_INLINE V size(size_t k) const { return of(share(k)); }
  HWY_INLINE V corner(V k, V before) const { return hn::MulAdd(Number(span), before, hn::Mul(k, Number(least))); }
};

template <class Load>
HWY_INLINE Sizes SizesOf(const PiecesPlan& c, const Load& load, size_t first, double least, double* HWY_RESTRICT e) {
  const V scale = Number(c.s.raw_scale);
  V top = hn::Mul(load(first), scale), sum = hn::Zero(D());
  Put(top, e, 0);
  for (size_t k = 1; k < c.bins; ++k) {
    const V v = hn::Mul(load(first + k), scale);
    Put(v, e, k);
    top = hn::Max(top, v);
  }
  for (size_t k = 0; k < c.bins; ++k) {
    const V v = Exp(D(), hn::Sub(At(e, k), top));
    Put(v, e, k);
    sum = hn::Add(sum, v);
  }
  return {e, hn::Div(Number(1), sum), least, 1 - static_cast<double>(c.bins) * least};
}

// Shares of one axis around bin k: of all bins before, of its neighbors and of itself.
struct Around {
  V before, prev, here, next;
};
// Gradients of sizes. below: of all bins before k; prev, here, next: additional ones of those bins.
struct AroundGrad {
  V below, prev, here, next;
};

template <class Store>
HWY_INLINE void SizesBack(const PiecesPlan& c, const Sizes& s, V k, const Around& a, const AroundGrad& g,
                          const Store& store, size_t first) {
  const V mean =
      hn::MulAdd(g.below, a.before, hn::MulAdd(g.prev, a.prev, hn::MulAdd(g.here, a.here, hn::Mul(g.next, a.next))));
  const V before = hn::Sub(k, Number(1)), after = hn::Add(k, Number(1));
  const V scale = hn::Mul(s.norm, Number(c.s.raw_scale * s.span));
  for (size_t i = 0; i < c.bins; ++i) {
    const V n = NumberOf(i);
    V v = hn::IfThenElseZero(hn::Lt(n, k), g.below);
    v = hn::Add(v, hn::IfThenElseZero(hn::Eq(n, before), g.prev));
    v = hn::Add(v, hn::IfThenElseZero(hn::Eq(n, k), g.here));
    v = hn::Add(v, hn::IfThenElseZero(hn::Eq(n, after), g.next));
    store(first + i, hn::Mul(hn::Mul(At(s.e, i), scale), hn::Sub(v, mean)));
  }
}

// The bin of a point: number, corner, sizes, slopes of its ends.
struct Bin {
  V k, X, Y, w, h, d0, d1;
  Around x, y;
};
// Gradients of the members of Bin.
struct BinGrad {
  V X, Y, w, h, d0, d1;
};

HWY_INLINE V Select(M here, V yes, V no) { return hn::IfThenElse(here, yes, no); }
HWY_INLINE void Move(M here, const Around& to, Around& a) {
  a.before = Select(here, to.before, a.before);
  a.prev = Select(here, to.prev, a.prev);
  a.here = Select(here, to.here, a.here);
  a.next = Select(here, to.next, a.next);
}

// ---- linear: equal bins, heights are sizes ------------------------------------------------------------------------

template <SplinePieces kPieces>
struct Knots {
  const PiecesPlan& c;
  Sizes y{};
  HWY_ALIGN double e[kNumbers];

  explicit Knots(const PiecesPlan& plan) : c(plan) {}
  template <class Load>
  HWY_INLINE void set(const Load& load) {
    y = SizesOf(c, load, 0, c.s.min_height, e);
  }
  HWY_INLINE Bin find(V at) const {
    const double width = 1 / static_cast<double>(c.bins);
    const V zero = hn::Zero(D());
    Bin b{zero, zero, zero, Number(width), zero, zero, zero, {}, {zero, zero, y.share(0), zero}};
    V before = zero;
    for (size_t i = 1; i < c.bins; ++i) {
      before = hn::Add(before, y.share(i - 1));
      const V n = NumberOf(i);
      const M here = hn::Ge(at, c.inverse ? y.corner(n, before) : hn::Mul(n, b.w));
      b.k = Select(here, n, b.k);
      Move(here, {before, zero, y.share(i), zero}, b.y);
    }
    b.X = hn::Mul(b.k, b.w);
    b.Y = y.corner(b.k, b.y.before);
    b.h = y.of(b.y.here);
    b.d0 = b.d1 = hn::Mul(b.h, NumberOf(c.bins));
    return b;
  }
  template <class Load, class Store>
  HWY_INLINE void back(const Bin& b, const BinGrad& g, const Load&, const Store& store) {
    const V zero = hn::Zero(D());
    const V here = hn::MulAdd(hn::Add(g.d0, g.d1), NumberOf(c.bins), g.h);
    SizesBack(c, y, b.k, b.y, {g.Y, zero, here, zero}, store, 0);
  }
};

// ---- quadratic: widths are sizes; densities H at knots, d over their area ------------------------------------------

template <>
struct Knots<SplinePieces::quadratic> {
  const PiecesPlan& c;
  Sizes x{};
  V area, ends, factor;  // ends: the area left for the H of the ends; factor: d = min_height + factor H
  HWY_ALIGN double e[kNumbers], H[kNumbers], gH[kNumbers], gw[kNumbers];

  explicit Knots(const PiecesPlan& plan) : c(plan) {}
  size_t first() const { return c.open ? 0 : 1; }
  size_t given() const { return c.open ? c.bins + 1 : c.bins - 1; }
  double end_share() const { return c.s.nflows ? 0.25 : 0.5; }
  HWY_INLINE V mean(size_t k) const { return hn::Mul(Number(0.5), hn::Add(At(H, k), At(H, k + 1))); }
  HWY_INLINE V slope(size_t k) const { return hn::MulAdd(factor, At(H, k), Number(c.s.min_height)); }
  template <class Load>
  HWY_INLINE V raw(const Load& load, size_t i) const {
    return AtMost(D(), hn::Mul(load(c.bins + i), Number(c.s.raw_scale)), kMostRaw);
  }

  template <class Load>
  HWY_INLINE void set(const Load& load) {
    const size_t n = c.bins;
    x = SizesOf(c, load, 0, c.s.min_width, e);
    for (size_t i = 0; i < given(); ++i) {
      const V v = raw(load, i);
      const V soft = hn::Add(AtLeast(D(), v, 0), Log1pExpMinusAbs(D(), v));
      Put(hn::Add(soft, Number(1e-3)), H, first() + i);
    }
    V inner = hn::Zero(D());
    for (size_t k = 1; k + 1 < n; ++k) inner = hn::MulAdd(mean(k), x.size(k), inner);
    if (!c.open) {
      const V share = Number(end_share()), w0 = x.size(0), w1 = x.size(n - 1);
      ends = hn::NegMulAdd(share, hn::Add(w0, w1), Number(1));
      V end = Number(1);
      if (n > 1) {
        const V outer = hn::MulAdd(w0, At(H, 1), hn::Mul(w1, At(H, n - 1)));
        end = hn::Div(hn::MulAdd(share, outer, inner), ends);
      }
      Put(end, H, 0);
      Put(end, H, n);
    }
    area = hn::MulAdd(mean(0), x.size(0), inner);
    if (n > 1) area = hn::MulAdd(mean(n - 1), x.size(n - 1), area);
    factor = hn::Div(Number(1 - c.s.min_height), area);
  }
  HWY_INLINE Bin find(V at) const {
    const V zero = hn::Zero(D()), half = Number(0.5);
    V before = zero, Y = zero, d1 = slope(1);
    Bin b{zero, zero, zero, zero, zero, slope(0), d1, {zero, zero, x.share(0), zero}, {}};
    V h = hn::Mul(hn::Mul(half, hn::Add(b.d0, d1)), x.size(0));
    b.h = h;
    for (size_t i = 1; i < c.bins; ++i) {
      before = hn::Add(before, x.share(i - 1));
      Y = hn::Add(Y, h);
      const V n = NumberOf(i), d0 = d1, share = x.share(i);
      d1 = slope(i + 1);
      h = hn::Mul(hn::Mul(half, hn::Add(d0, d1)), x.of(share));
      const M here = hn::Ge(at, c.inverse ? Y : x.corner(n, before));
      b.k = Select(here, n, b.k);
      b.Y = Select(here, Y, b.Y);
      b.h = Select(here, h, b.h);
      b.d0 = Select(here, d0, b.d0);
      b.d1 = Select(here, d1, b.d1);
      Move(here, {before, zero, share, zero}, b.x);
    }
    b.X = x.corner(b.k, b.x.before);
    b.w = x.of(b.x.here);
    return b;
  }
  template <class Load, class Store>
  HWY_INLINE void back(const Bin& b, const BinGrad& g, const Load& load, const Store& store) {
    const size_t n = c.bins;
    const V zero = hn::Zero(D()), half = Number(0.5);
    // Heights of the bins before, and the slopes of this one, follow from the densities.
    V carry = zero, g_area = zero;
    for (size_t i = 0; i <= n; ++i) {
      const V number = NumberOf(i);
      const V part = i < n ? hn::IfThenElseZero(hn::Lt(number, b.k), hn::Mul(hn::Mul(g.Y, half), x.size(i))) : zero;
      V v = hn::Add(carry, part);
      v = hn::Add(v, hn::IfThenElseZero(hn::Eq(number, b.k), g.d0));
      v = hn::Add(v, hn::IfThenElseZero(hn::Eq(number, hn::Add(b.k, Number(1))), g.d1));
      v = hn::Mul(v, factor);
      g_area = hn::NegMulAdd(v, hn::Div(At(H, i), area), g_area);
      Put(v, gH, i);
      carry = part;
    }
    for (size_t i = 0; i < n; ++i) {
      const V number = NumberOf(i);
      const V below = hn::MulAdd(g.Y, hn::Mul(half, hn::Add(slope(i), slope(i + 1))), g.X);
      V v = hn::IfThenElseZero(hn::Lt(number, b.k), below);
      v = hn::Add(v, hn::IfThenElseZero(hn::Eq(number, b.k), g.w));
      Put(v, gw, i);
      area_back(i, g_area);
    }
    if (!c.open && n > 1) {
      const V g_sum = hn::Div(hn::Add(At(gH, 0), At(gH, n)), ends), share = Number(end_share());
      const V g_ends = hn::Mul(g_sum, At(H, 0)), g_share = hn::Mul(g_sum, share);
      for (const bool last : {false, true}) {
        const size_t k = last ? n - 1 : 0, knot = last ? n - 1 : 1;
        Put(hn::MulAdd(share, hn::MulAdd(g_sum, At(H, knot), g_ends), At(gw, k)), gw, k);
        Put(hn::MulAdd(g_share, x.size(k), At(gH, knot)), gH, knot);
      }
      for (size_t k = 1; k + 1 < n; ++k) area_back(k, g_sum);
    }
    for (size_t i = 0; i < given(); ++i) {
      const V v = raw(load, i), change = hn::Mul(Sigmoid(D(), v), Number(c.s.raw_scale));
      store(n + i, hn::IfThenElseZero(hn::Not(hn::Ge(v, Number(kMostRaw))), hn::Mul(At(gH, first() + i), change)));
    }
    V mean_g = zero;
    for (size_t k = 0; k < n; ++k) mean_g = hn::MulAdd(x.share(k), At(gw, k), mean_g);
    const V scale = Number(c.s.raw_scale * x.span);
    for (size_t k = 0; k < n; ++k) store(k, hn::Mul(hn::Mul(scale, x.share(k)), hn::Sub(At(gw, k), mean_g)));
  }
  // Propagates the gradient of mean(k) times the width of bin k.
  HWY_INLINE void area_back(size_t k, V g) {
    const V part = hn::Mul(hn::Mul(g, Number(0.5)), x.size(k));
    Put(hn::MulAdd(g, mean(k), At(gw, k)), gw, k);
    Put(hn::Add(At(gH, k), part), gH, k);
    Put(hn::Add(At(gH, k + 1), part), gH, k + 1);
  }
};

// ---- cubic: widths and heights are sizes, slopes those of the bins around ------------------------------------------

struct Slope {  // at the knot between two bins
  V s0, s1, sum, mean, d;
  M capped;  // capped at twice the lower slope, which is s0 where `first`
  HWY_INLINE Slope(V w0, V h0, V w1, V h1) {
    s0 = hn::Div(h0, w0);
    s1 = hn::Div(h1, w1);
    sum = hn::Add(w0, w1);
    mean = hn::Div(hn::MulAdd(w1, s0, hn::Mul(w0, s1)), sum);
    const V low = hn::IfThenElse(hn::Lt(s1, s0), s1, s0), cap = hn::Add(low, low);
    capped = hn::Lt(cap, mean);
    d = hn::IfThenElse(capped, cap, mean);
  }
  // Adds to the gradients of both sizes.
  HWY_INLINE void back(V g, V w0, V w1, V& gw0, V& gh0, V& gw1, V& gh1) const {
    const V zero = hn::Zero(D()), twice = hn::Add(g, g), per = hn::Div(g, sum);
    const M first = hn::Lt(s0, s1);
    const V g0 = hn::IfThenElse(capped, hn::IfThenElseZero(first, twice), hn::Mul(per, w1));
    const V g1 = hn::IfThenElse(capped, hn::IfThenElse(first, zero, twice), hn::Mul(per, w0));
    const V open = hn::IfThenElse(capped, zero, per);
    gh0 = hn::Add(gh0, hn::Div(g0, w0));
    gh1 = hn::Add(gh1, hn::Div(g1, w1));
    gw0 = hn::Add(gw0, hn::MulSub(open, hn::Sub(s1, mean), hn::Div(hn::Mul(g0, s0), w0)));
    gw1 = hn::Add(gw1, hn::MulSub(open, hn::Sub(s0, mean), hn::Div(hn::Mul(g1, s1), w1)));
  }
};

template <>
struct Knots<SplinePieces::cubic> {
  const PiecesPlan& c;
  Sizes x{}, y{};
  V rate[2], change[2];  // end slopes relative to those of their bins, and the derivatives
  HWY_ALIGN double ex[kNumbers], ey[kNumbers];

  explicit Knots(const PiecesPlan& plan) : c(plan) {}
  template <class Load>
  HWY_INLINE void set(const Load& load) {
    x = SizesOf(c, load, 0, c.s.min_width, ex);
    y = SizesOf(c, load, c.bins, c.s.min_height, ey);
    // The shift makes zeros give slopes of 1 where sizes are equal.
    const double shift = c.s.nflows ? 0 : std::log((1 - c.s.min_slope) / 2), span = 3 - c.s.min_slope;
    for (size_t i = 0; i < 2; ++i) {
      V rest;
      const V part = Sigmoid(D(), hn::Add(load(2 * c.bins + i), Number(shift)), rest);
      rate[i] = hn::MulAdd(Number(span), part, Number(c.s.min_slope));
      change[i] = hn::Mul(hn::Mul(Number(span), part), rest);
    }
  }
  HWY_INLINE M is_first(const Bin& b) const { return hn::Eq(b.k, hn::Zero(D())); }
  HWY_INLINE M is_last(const Bin& b) const { return hn::Eq(b.k, NumberOf(c.bins - 1)); }
  HWY_INLINE Slope left(const Bin& b) const { return {x.of(b.x.prev), y.of(b.y.prev), b.w, b.h}; }
  HWY_INLINE Slope right(const Bin& b) const { return {b.w, b.h, x.of(b.x.next), y.of(b.y.next)}; }

  HWY_INLINE Bin find(V at) const {
    const V zero = hn::Zero(D());
    Around ax{zero, zero, x.share(0), x.share(1)}, ay{zero, zero, y.share(0), y.share(1)};
    Bin b{zero, zero, zero, zero, zero, zero, zero, ax, ay};
    for (size_t i = 1; i < c.bins; ++i) {
      const bool more = i + 1 < c.bins;
      ax = {hn::Add(ax.before, ax.here), ax.here, ax.next, more ? x.share(i + 1) : zero};
      ay = {hn::Add(ay.before, ay.here), ay.here, ay.next, more ? y.share(i + 1) : zero};
      const V n = NumberOf(i);
      const M here = hn::Ge(at, c.inverse ? y.corner(n, ay.before) : x.corner(n, ax.before));
      b.k = Select(here, n, b.k);
      Move(here, ax, b.x);
      Move(here, ay, b.y);
    }
    b.X = x.corner(b.k, b.x.before);
    b.Y = y.corner(b.k, b.y.before);
    b.w = x.of(b.x.here);
    b.h = y.of(b.y.here);
    const V s = hn::Div(b.h, b.w);
    b.d0 = Select(is_first(b), hn::Mul(rate[0], s), left(b).d);
    b.d1 = Select(is_last(b), hn::Mul(rate[1], s), right(b).d);
    return b;
  }
  template <class Load, class Store>
  HWY_INLINE void back(const Bin& b, const BinGrad& g, const Load&, const Store& store) {
    const V zero = hn::Zero(D()), s = hn::Div(b.h, b.w);
    AroundGrad gx{g.X, zero, g.w, zero}, gy{g.Y, zero, g.h, zero};
    const M first = is_first(b), last = is_last(b);
    left(b).back(hn::IfThenElse(first, zero, g.d0), x.of(b.x.prev), b.w, gx.prev, gy.prev, gx.here, gy.here);
    right(b).back(hn::IfThenElse(last, zero, g.d1), b.w, x.of(b.x.next), gx.here, gy.here, gx.next, gy.next);
    const V end0 = hn::IfThenElseZero(first, g.d0), end1 = hn::IfThenElseZero(last, g.d1);
    const V g_s = hn::Div(hn::MulAdd(end0, rate[0], hn::Mul(end1, rate[1])), b.w);
    gy.here = hn::Add(gy.here, g_s);
    gx.here = hn::NegMulAdd(g_s, s, gx.here);
    SizesBack(c, x, b.k, b.x, gx, store, 0);
    SizesBack(c, y, b.k, b.y, gy, store, c.bins);
    store(2 * c.bins, hn::Mul(hn::Mul(end0, change[0]), s));
    store(2 * c.bins + 1, hn::Mul(hn::Mul(end1, change[1]), s));
  }
};

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
