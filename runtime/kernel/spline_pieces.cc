// Lanes are rows, as in spline.cc, in float64 whatever T is. First the knots (spline_knots-inl.h), then the position of
// the point in its piece; gradients take the same steps backward.
#include "runtime/kernel/spline_pieces.h"

#include <cmath>

#include "runtime/kernel/targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernel/spline_pieces.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h
#include "runtime/kernel/spline_knots-inl.h"

#ifndef NF_PIECES_GRADS  // this file is read once per target
#define NF_PIECES_GRADS
namespace libnf::kernel {
template <class T>
struct PiecesGrads {
  const T *g_out, *g_log_det;
  T *g_in, *g_params;
};
}  // namespace libnf::kernel
#endif

HWY_BEFORE_NAMESPACE();
namespace libnf::kernel::HWY_NAMESPACE {

// Solves G(v) = q for a cubic G with G(1) = `h`: the bracket [0, 1] shrinks around the root, and Newton stays inside
// it.
HWY_INLINE V SolveCubic(V A, V B, V C, V h, V q) {
  const D d;
  const V A3 = hn::Mul(Number(3), A), B2 = hn::Add(B, B);
  V low = hn::Zero(d), high = Number(1), v = AtLeast(d, AtMost(d, hn::Div(q, h), 1), 0);
  M active = hn::Eq(v, v);
  for (int i = 0; i < 100 && !hn::AllFalse(d, active); ++i) {
    const V f = hn::MulSub(hn::MulAdd(hn::MulAdd(A, v, B), v, C), v, q);
    const M above = hn::Gt(f, hn::Zero(d));
    high = Select(above, v, high);
    low = Select(above, low, v);
    const V newton = hn::Sub(v, hn::Div(f, hn::MulAdd(hn::MulAdd(A3, v, B2), v, C)));
    // A step this small is the last one, since Newton squares errors; in the last digits it may leave the bracket.
    const M far = hn::Gt(hn::Abs(hn::Sub(newton, v)), hn::Mul(Number(1e-12), v));
    const M outside = hn::And(far, hn::Or(hn::Le(newton, low), hn::Ge(newton, high)));
    // A lane that has converged stops, so that its bits depend only on its row.
    v = Select(active, Select(outside, hn::Mul(Number(0.5), hn::Add(low, high)), newton), v);
    active = hn::And(active, far);
  }
  return v;
}

// A point x or z. Inside: its bin and position v in it, with slope dF/dt on [0, 1]. Outside: its distance `far` from
// that end, as a fraction of the interval, and the slope there.
template <SplinePieces kPieces>
struct Point {
  M inside, above;
  Bin b;
  V A, B, C, v, far, slope;

  HWY_INLINE Point(const PiecesPlan& c, const Knots<kPieces>& knots, V x) {
    const D d;
    const V low = Number(c.low), high = Number(c.high), one = Number(1), zero = hn::Zero(d);
    inside = hn::And(hn::Ge(x, low), hn::Le(x, high));
    above = hn::Gt(x, high);
    const V far_at = hn::IfThenElseZero(above, one);
    const V at = Select(inside, AtLeast(d, AtMost(d, hn::Div(hn::Sub(x, low), Number(c.size)), 1), 0), far_at);
    far = hn::Div(hn::Sub(x, Select(above, high, low)), Number(c.size));
    b = knots.find(at);
    A = B = zero;
    C = b.h;
    if constexpr (kPieces != SplinePieces::linear) C = hn::Mul(b.d0, b.w);
    if constexpr (kPieces == SplinePieces::quadratic) B = hn::Mul(hn::Mul(hn::Sub(b.d1, b.d0), b.w), Number(0.5));
    if constexpr (kPieces == SplinePieces::cubic) {
      A = hn::MulSub(hn::Add(b.d0, b.d1), b.w, hn::Add(b.h, b.h));
      B = hn::NegMulAdd(hn::Add(hn::Add(b.d0, b.d0), b.d1), b.w, hn::Mul(Number(3), b.h));
    }
    if (c.inverse) {
      const V q = AtLeast(d, hn::Sub(at, b.Y), 0);
      if constexpr (kPieces == SplinePieces::linear) v = hn::Div(q, C);
      if constexpr (kPieces == SplinePieces::quadratic) {
        const V square = AtLeast(d, hn::MulAdd(C, C, hn::Mul(hn::Mul(Number(4), B), q)), 0);
        v = hn::Div(hn::Add(q, q), hn::Add(C, hn::Sqrt(square)));
      }
      if constexpr (kPieces == SplinePieces::cubic) v = SolveCubic(A, B, C, b.h, q);
    } else {
      v = hn::Div(hn::Sub(at, b.X), b.w);
    }
    v = AtLeast(d, AtMost(d, v, 1), 0);
    slope = hn::Div(hn::MulAdd(hn::MulAdd(hn::Mul(Number(3), A), v, hn::Add(B, B)), v, C), b.w);
    slope = Select(inside, slope, Select(above, b.d1, b.d0));
  }
};

template <SplinePieces kPieces, class T>
HWY_NOINLINE void Pieces(const PiecesPlan& c, const SplineRows<T>& rows, T* out, T* log_det) {
  const D d;
  const size_t n = static_cast<size_t>(rows.n), stride = static_cast<size_t>(rows.stride);
  const V shift = Number(std::log(c.to_size / c.size));
  Knots<kPieces> knots(c);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const Lane<T> lane{i, n - i};
    const V x = lane.read(rows.in);
    knots.set([&](size_t number) HWY_ATTR { return lane.read(rows.params + number * stride); });
    const Point<kPieces> a(c, knots, x);
    V y = c.inverse ? hn::MulAdd(a.b.w, a.v, a.b.X)
                    : hn::MulAdd(hn::MulAdd(hn::MulAdd(a.A, a.v, a.B), a.v, a.C), a.v, a.b.Y);
    const V beyond = c.inverse ? hn::Div(a.far, a.slope) : hn::Mul(a.far, a.slope);
    y = Select(a.inside, AtMost(d, y, 1), hn::Add(hn::IfThenElseZero(a.above, Number(1)), beyond));
    y = hn::MulAdd(Number(c.to_size), y, Number(c.to));
    V l = Log(d, a.slope);
    l = hn::Add(c.inverse ? hn::Neg(l) : l, shift);
    if (!c.open) {
      y = Select(a.inside, y, x);
      l = hn::IfThenElseZero(a.inside, l);
    }
    lane.write(y, out);
    lane.write(hn::Add(lane.read(log_det), l), log_det);
  }
}

// With v in a piece: F = Y + G(v), L = log(G'(v) / w), t = X + w v.
template <SplinePieces kPieces, class T>
HWY_NOINLINE void PiecesGrad(const PiecesPlan& c, const SplineRows<T>& rows, const PiecesGrads<T>& grads) {
  const D d;
  const size_t n = static_cast<size_t>(rows.n), stride = static_cast<size_t>(rows.stride);
  const V zero = hn::Zero(d), two = Number(2);
  Knots<kPieces> knots(c);
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    const Lane<T> lane{i, n - i};
    const auto load = [&](size_t number) HWY_ATTR { return lane.read(rows.params + number * stride); };
    const V gy = grads.g_out ? lane.read(grads.g_out) : zero, gl = grads.g_log_det ? lane.read(grads.g_log_det) : zero;
    knots.set(load);
    const Point<kPieces> a(c, knots, lane.read(rows.in));
    const Bin& b = a.b;
    const V g = hn::Mul(gy, Number(c.to_size)), v = a.v;  // gradient of y on [0, 1]
    const V dG = hn::Mul(a.slope, b.w);
    const V dl_dv = hn::Div(hn::Mul(two, hn::MulAdd(hn::Mul(Number(3), a.A), v, a.B)), dG);
    V gF = g, gL = gl, g_at;
    if (c.inverse) {  // the gradients of the forward map that give those of the inverse
      g_at = hn::Div(hn::Sub(g, hn::Div(hn::Mul(gl, dl_dv), b.w)), a.slope);
      gF = hn::Neg(g_at);
      gL = hn::Neg(gl);
    }
    const V gv = hn::MulAdd(gF, dG, hn::Mul(gL, dl_dv)), per_dG = hn::Div(gL, dG), gv_w = hn::Div(gv, b.w);
    if (!c.inverse) g_at = gv_w;
    const V gC = hn::MulAdd(gF, v, per_dG), gB = hn::Mul(v, hn::MulAdd(gF, v, hn::Mul(two, per_dG))),
            gA = hn::Mul(hn::Mul(v, v), hn::MulAdd(gF, v, hn::Mul(Number(3), per_dG)));
    BinGrad gb{hn::Neg(gv_w), gF, hn::Neg(hn::Div(hn::MulAdd(gv, v, gL), b.w)), zero, zero, zero};
    if constexpr (kPieces == SplinePieces::linear) {
      gb.h = gC;
    } else {
      gb.w = hn::MulAdd(gC, b.d0, gb.w);
      gb.d0 = hn::Mul(gC, b.w);
    }
    if constexpr (kPieces == SplinePieces::quadratic) {
      const V half = hn::Mul(gB, Number(0.5));
      gb.w = hn::MulAdd(half, hn::Sub(b.d1, b.d0), gb.w);
      gb.d1 = hn::Mul(half, b.w);
      gb.d0 = hn::Sub(gb.d0, gb.d1);
    }
    if constexpr (kPieces == SplinePieces::cubic) {
      const V both = hn::Add(b.d0, b.d1);
      gb.w = hn::MulAdd(gA, both, hn::NegMulAdd(gB, hn::Add(b.d0, both), gb.w));
      gb.d0 = hn::MulAdd(hn::NegMulAdd(two, gB, gA), b.w, gb.d0);
      gb.d1 = hn::Mul(hn::Sub(gA, gB), b.w);
      gb.h = hn::MulSub(Number(3), gB, hn::Mul(two, gA));
    }
    const auto within = [&](V value) HWY_ATTR { return hn::IfThenElseZero(a.inside, value); };
    gb = {within(gb.X), within(gb.Y), within(gb.w), within(gb.h), within(gb.d0), within(gb.d1)};
    V beyond = gy;
    if (c.open) {
      const V g_slope = c.inverse ? hn::Neg(hn::Div(hn::Add(hn::Div(hn::Mul(g, a.far), a.slope), gl), a.slope))
                                  : hn::MulAdd(g, a.far, hn::Div(gl, a.slope));
      gb.d1 = Select(a.above, g_slope, gb.d1);
      gb.d0 = Select(hn::Or(a.inside, a.above), gb.d0, g_slope);
      beyond = hn::Div(c.inverse ? hn::Div(g, a.slope) : hn::Mul(g, a.slope), Number(c.size));
    }
    lane.write(Select(a.inside, hn::Div(g_at, Number(c.size)), beyond), grads.g_in);
    knots.back(b, gb, load,
               [&](size_t number, V value) HWY_ATTR { lane.write(value, grads.g_params + number * stride); });
  }
}

#define NF_DEFINE(Name, T)                                                                             \
  void Pieces##Name(const PiecesPlan& c, const SplineRows<T>& rows, T* out, T* log_det) {              \
    switch (c.s.pieces) {                                                                              \
      case SplinePieces::linear:                                                                       \
        return Pieces<SplinePieces::linear>(c, rows, out, log_det);                                    \
      case SplinePieces::quadratic:                                                                    \
        return Pieces<SplinePieces::quadratic>(c, rows, out, log_det);                                 \
      case SplinePieces::cubic:                                                                        \
        return Pieces<SplinePieces::cubic>(c, rows, out, log_det);                                     \
    }                                                                                                  \
  }                                                                                                    \
  void PiecesGrad##Name(const PiecesPlan& c, const SplineRows<T>& rows, const PiecesGrads<T>& grads) { \
    switch (c.s.pieces) {                                                                              \
      case SplinePieces::linear:                                                                       \
        return PiecesGrad<SplinePieces::linear>(c, rows, grads);                                       \
      case SplinePieces::quadratic:                                                                    \
        return PiecesGrad<SplinePieces::quadratic>(c, rows, grads);                                    \
      case SplinePieces::cubic:                                                                        \
        return PiecesGrad<SplinePieces::cubic>(c, rows, grads);                                        \
    }                                                                                                  \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace libnf::kernel {

#define NF_DEFINE(Name, T)                                                                                            \
  HWY_EXPORT(Pieces##Name);                                                                                           \
  HWY_EXPORT(PiecesGrad##Name);                                                                                       \
  template <>                                                                                                         \
  void pieces_spline(const PiecesShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows, T* out, \
                     T* log_det) {                                                                                    \
    HWY_DYNAMIC_DISPATCH(Pieces##Name)(PiecesPlan(shape, box, inverse), rows, out, log_det);                          \
  }                                                                                                                   \
  template <>                                                                                                         \
  void pieces_spline_grad(const PiecesShape& shape, const SplineBox& box, bool inverse, const SplineRows<T>& rows,    \
                          const T* g_out, const T* g_log_det, T* g_in, T* g_params) {                                 \
    HWY_DYNAMIC_DISPATCH(PiecesGrad##Name)                                                                            \
    (PiecesPlan(shape, box, inverse), rows, PiecesGrads<T>{g_out, g_log_det, g_in, g_params});                        \
  }
NF_DEFINE(F32, float)
NF_DEFINE(F64, double)
#undef NF_DEFINE

}  // namespace libnf::kernel
#endif
