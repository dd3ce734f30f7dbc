#include "runtime/op/spline_vars.h"

#include <cmath>

#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::PiecesShape;
using kernel::SplineBox;
using kernel::SplinePieces;
using kernel::SplineTails;
constexpr double kLog1000 = 6.907755278982137;  // for soft_clip
constexpr double kMost = 1e12;                  // cap of slopes and raw densities

Var at_most(Tape& t, Var x, double most) { return minimum(t, x, add_scalar(t, t.zeros({1}), most)); }
Var beside(Tape& t, Var a, Var b) { return concat_columns(t, a, b); }
Var columns(Tape& t, Var x, int64_t first, int64_t count) { return slice_columns(t, x, first, count); }
Var half_sum(Tape& t, Var a, Var b) { return scale(t, add(t, a, b), 0.5); }

// Makes a constant [rows, 1].
template <class F>
Var constant(Tape& t, int64_t rows, const F& f) {
  Var v = t.empty({rows, 1});
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t r = 0; r < rows; ++r) v->y<T>()[r] = static_cast<T>(f(r));
  });
  return v;
}

template <class F>
const int32_t* indices(Tape& t, int64_t rows, const F& f) {
  int32_t* index = t.scratch<int32_t>(rows);
  for (int64_t r = 0; r < rows; ++r) index[r] = static_cast<int32_t>(f(r));
  return index;
}

// Picks one number from every row of a table.
Var pick(Tape& t, Var table, const int32_t* index) { return gather_last(t, table, index, 1); }

// The rows of a call: where they are, and points in the box that replace those outside.
struct Points {
  Points(Tape& t, SplineBoxes boxes, Var x)
      : rows(x->out.shape[0]), per_box(boxes.empty() ? 1 : rows / static_cast<int64_t>(boxes.size())), boxes_(boxes) {
    int32_t* where = t.scratch<int32_t>(rows);
    bool* high = t.scratch<bool>(rows);
    double* turned = t.scratch<double>(rows);
    bool circular = false;
    for (const SplineBox* b : boxes) circular |= b->tails == SplineTails::circular;
    with_dtype(t.dtype(), [&]<class T>() {
      const auto v = matrix_of<T>(x->out);
      for (int64_t r = 0; r < rows; ++r) {
        const SplineBox& b = box(r);
        const auto at = static_cast<double>(*v.row(r)), period = b.high - b.low;
        const double turn = std::floor((at - b.low) / period);
        where[r] = at >= b.low && at <= b.high ? 0 : 1;
        high[r] = at > b.low;
        turned[r] = 0;
        if (b.tails != SplineTails::circular || where[r] == 0) continue;
        if (!(std::abs(turn) < (sizeof(T) == 4 ? 2048 : 67108864))) continue;
        where[r] = 0;
        turned[r] = turn * period;
      }
    });
    outside = where;
    above = high;
    end = constant(t, rows, [&](int64_t r) { return above[r] ? box(r).high : box(r).low; });
    image = constant(t, rows, [&](int64_t r) { return above[r] ? box(r).top : box(r).bottom; });
    if (circular) offset = constant(t, rows, [&](int64_t r) { return turned[r]; });
    at = pick(t, beside(t, offset ? sub(t, x, offset) : x, end), outside);
    far = sub(t, x, end);
  }
  const SplineBox& box(int64_t row) const { return *boxes_[static_cast<size_t>(row / per_box)]; }
  // Joins two results: inside, z = `in` with log slope l; outside, the line through the end of the box with this slope.
  ColumnVars join(Tape& t, Var in, Var l, Var slope) const {
    if (offset) in = add(t, in, offset);
    Var out = add(t, image, mul(t, slope, far));
    return {pick(t, beside(t, in, out), outside), pick(t, beside(t, l, unary(t, Unary::log, slope)), outside)};
  }

  int64_t rows, per_box;
  const int32_t* outside;  // 1 or 0
  const bool* above;       // for rows outside, which end is near
  Var end, image,
      offset = nullptr;  // [rows, 1]: the near end of the box and its image; whole turns, nullptr without circles
  Var at, far;           // the point in the box; distance of x from the end

 private:
  SplineBoxes boxes_;
};

// Returns the last bin whose left end is not above the point; edges [rows, bins + 1].
const int32_t* bins_of(Tape& t, Var edges, Var at) {
  const int64_t bins = edges->out.shape[1] - 1;
  return with_dtype(t.dtype(), [&]<class T>() {
    const auto edge = matrix_of<T>(edges->out), x = matrix_of<T>(at->out);
    return indices(t, x.rows, [&](int64_t r) {
      int64_t k = bins - 1;
      while (k > 0 && !(*x.row(r) >= edge.row(r)[k])) --k;
      return k;
    });
  });
}

struct Sizes {
  Var size, edge;  // of bins [rows, bins], and their borders [rows, bins + 1]
};

// Shares least + (1 - bins least) softmax(raw raw_scale) of `span` [rows, 1] (nullptr: 1), starting at `low`.
Sizes sizes_of(Tape& t, Var raw, double raw_scale, double least, bool soft_clip, Var low, Var span) {
  Var v = scale(t, raw, raw_scale);
  if (soft_clip) v = scale(t, unary(t, Unary::softsign, scale(t, v, 2 / kLog1000)), kLog1000 / 2);
  const auto bins = static_cast<double>(raw->out.shape[1]);
  Var size = add_scalar(t, scale(t, softmax(t, v), 1 - bins * least), least);
  if (span) size = mul(t, size, span);
  return {size, cumsum(t, beside(t, low, size))};
}

}  // namespace

ColumnVars rational_spline(Tape& t, const kernel::SplineShape& s, SplineBoxes boxes, Var x, Var raw) {
  const Points p(t, boxes, x);
  const int64_t rows = p.rows, bins = s.bins, slopes = raw->out.shape[1] - 2 * bins;
  const auto of_box = [&](auto f) { return constant(t, rows, [&](int64_t r) { return f(p.box(r)); }); };
  const Sizes xs = sizes_of(t, columns(t, raw, 0, bins), s.raw_scale, s.soft_clip ? 0 : s.min_width, s.soft_clip,
                            of_box([](const SplineBox& b) { return b.low; }),
                            of_box([](const SplineBox& b) { return b.high - b.low; }));
  const Sizes ys = sizes_of(t, columns(t, raw, bins, bins), s.raw_scale, s.soft_clip ? 0 : s.min_height, s.soft_clip,
                            of_box([](const SplineBox& b) { return b.bottom; }),
                            of_box([](const SplineBox& b) { return b.top - b.bottom; }));
  // Slopes at knots, followed by a 1 for ends without one.
  Var slope = of_box([](const SplineBox&) { return 1; });
  if (slopes > 0) {
    Var r = columns(t, raw, 2 * bins, slopes);
    Var d = s.soft_clip ? unary(t, Unary::exp, scale(t, unary(t, Unary::softsign, scale(t, r, 1 / kLog1000)), kLog1000))
                        : add_scalar(t, unary(t, Unary::softplus, r, s.beta), s.min_derivative);
    slope = beside(t, at_most(t, d, kMost), slope);
  }
  const auto slope_at = [&](int64_t r, int64_t knot) {
    const SplineTails tails = p.box(r).tails;
    if (tails == SplineTails::none) return knot;
    if (tails == SplineTails::circular) return knot == bins ? 0 : knot;
    return knot == 0 || knot == bins ? slopes : knot - 1;
  };
  const int32_t* k = bins_of(t, xs.edge, p.at);
  Var d0 = pick(t, slope, indices(t, rows, [&](int64_t r) { return slope_at(r, k[r]); }));
  Var d1 = pick(t, slope, indices(t, rows, [&](int64_t r) { return slope_at(r, k[r] + 1); }));
  Var beyond = pick(t, slope, indices(t, rows, [&](int64_t r) {
                      return p.box(r).tails != SplineTails::none ? slopes : p.above[r] ? bins : 0;
                    }));
  Var w = pick(t, xs.size, k), h = pick(t, ys.size, k), mean = div(t, h, w);
  Var r0 = at_most(t, div(t, d0, mean), kMost), r1 = at_most(t, div(t, d1, mean), kMost);
  Var v = div(t, sub(t, p.at, pick(t, xs.edge, k)), w), u = add_scalar(t, scale(t, v, -1), 1), vu = mul(t, v, u);
  Var vv = unary(t, Unary::square, v), uu = unary(t, Unary::square, u);
  Var D = add(t, add(t, vv, uu), mul(t, add(t, r0, r1), vu));
  Var N = add(t, add(t, mul(t, r1, vv), mul(t, r0, uu)), scale(t, vu, 2));
  Var z = add(t, pick(t, ys.edge, k), mul(t, h, div(t, add(t, vv, mul(t, r0, vu)), D)));
  Var l = unary(t, Unary::log, mul(t, mean, div(t, div(t, N, D), D)));
  return p.join(t, z, l, beyond);
}

namespace {

// A spline on [0, 1]: knots, values F there, and slopes dF on both sides of them [rows, bins + 1].
struct Pieces {
  Sizes x;  // widths and knots
  Var h, Y, d;
};

Pieces linear_pieces(Tape& t, const PiecesShape& s, Var raw, Var zero) {
  const auto width = 1 / static_cast<double>(s.bins);
  Var size = add_scalar(t, t.zeros({raw->out.shape[0], s.bins}), width);
  const Sizes y = sizes_of(t, columns(t, raw, 0, s.bins), s.raw_scale, s.min_height, false, zero, nullptr);
  return {{size, cumsum(t, beside(t, zero, size))}, y.size, y.edge, nullptr};
}

Pieces quadratic_pieces(Tape& t, const PiecesShape& s, bool open, Var raw, Var zero) {
  const int64_t n = s.bins;
  const Sizes x = sizes_of(t, columns(t, raw, 0, n), s.raw_scale, s.min_width, false, zero, nullptr);
  Var H = nullptr;
  if (open || n > 1) {
    Var v = at_most(t, scale(t, columns(t, raw, n, open ? n + 1 : n - 1), s.raw_scale), kMost);
    H = add_scalar(t, unary(t, Unary::softplus, v, 1), 1e-3);
  }
  if (!open) {
    Var end = add_scalar(t, zero, 1);
    if (n > 1) {
      const double share = s.nflows ? 0.25 : 0.5;
      Var w0 = columns(t, x.size, 0, 1), w1 = columns(t, x.size, n - 1, 1);
      Var outer = add(t, mul(t, w0, columns(t, H, 0, 1)), mul(t, w1, columns(t, H, n - 2, 1)));
      Var area = scale(t, outer, share);
      if (n > 2) {
        Var between = half_sum(t, columns(t, H, 0, n - 2), columns(t, H, 1, n - 2));
        area = add(t, area, as_column(t, row_dot(t, between, columns(t, x.size, 1, n - 2))));
      }
      end = div(t, area, add_scalar(t, scale(t, add(t, w0, w1), -share), 1));
    }
    H = beside(t, H ? beside(t, end, H) : end, end);
  }
  Var area = as_column(t, row_dot(t, half_sum(t, columns(t, H, 0, n), columns(t, H, 1, n)), x.size));
  Var factor = scale(t, unary(t, Unary::reciprocal, area), 1 - s.min_height);
  Var d = add_scalar(t, mul(t, H, factor), s.min_height);
  Var h = mul(t, half_sum(t, columns(t, d, 0, n), columns(t, d, 1, n)), x.size);
  return {x, h, cumsum(t, beside(t, zero, h)), d};
}

Pieces cubic_pieces(Tape& t, const PiecesShape& s, Var raw, Var zero) {
  const int64_t n = s.bins;
  const Sizes x = sizes_of(t, columns(t, raw, 0, n), s.raw_scale, s.min_width, false, zero, nullptr);
  const Sizes y = sizes_of(t, columns(t, raw, n, n), s.raw_scale, s.min_height, false, zero, nullptr);
  const double shift = s.nflows ? 0 : std::log((1 - s.min_slope) / 2);
  Var part = unary(t, Unary::sigmoid, add_scalar(t, columns(t, raw, 2 * n, 2), shift));
  Var rate = add_scalar(t, scale(t, part, 3 - s.min_slope), s.min_slope);
  Var slope = div(t, y.size, x.size);
  Var s0 = columns(t, slope, 0, n - 1), s1 = columns(t, slope, 1, n - 1);
  Var w0 = columns(t, x.size, 0, n - 1), w1 = columns(t, x.size, 1, n - 1);
  Var mean = div(t, add(t, mul(t, w1, s0), mul(t, w0, s1)), add(t, w0, w1));
  Var inner = minimum(t, mean, scale(t, minimum(t, s0, s1), 2));
  Var first = mul(t, columns(t, rate, 0, 1), columns(t, slope, 0, 1));
  Var last = mul(t, columns(t, rate, 1, 1), columns(t, slope, n - 1, 1));
  return {x, y.size, y.edge, beside(t, beside(t, first, inner), last)};
}

}  // namespace

ColumnVars pieces_spline(Tape& t, const PiecesShape& s, SplineBoxes boxes, Var x, Var raw) {
  const Points p(t, boxes, x);
  const int64_t rows = p.rows, bins = s.bins;
  const bool open = rows > 0 && p.box(0).tails == SplineTails::none;
  const auto of_box = [&](auto f) { return constant(t, rows, [&](int64_t r) { return f(p.box(r)); }); };
  Var zero = t.zeros({rows, 1});
  const Pieces q = s.pieces == SplinePieces::linear      ? linear_pieces(t, s, raw, zero)
                   : s.pieces == SplinePieces::quadratic ? quadratic_pieces(t, s, open, raw, zero)
                                                         : cubic_pieces(t, s, raw, zero);
  Var size = of_box([](const SplineBox& b) { return b.high - b.low; });
  Var to_size = of_box([](const SplineBox& b) { return b.top - b.bottom; });
  Var at = div(t, sub(t, p.at, of_box([](const SplineBox& b) { return b.low; })), size);
  const int32_t* k = bins_of(t, q.x.edge, at);
  const int32_t* next = indices(t, rows, [&](int64_t r) { return k[r] + 1; });
  Var w = pick(t, q.x.size, k), h = pick(t, q.h, k), v = div(t, sub(t, at, pick(t, q.x.edge, k)), w);
  // G = ((A v + B) v + C) v and its derivative with respect to v.
  Var G = mul(t, h, v), dG = h;
  if (q.d) {
    Var d0 = pick(t, q.d, k), d1 = pick(t, q.d, next), C = mul(t, d0, w);
    if (s.pieces == SplinePieces::quadratic) {
      Var B = mul(t, scale(t, sub(t, d1, d0), 0.5), w);
      G = mul(t, add(t, mul(t, B, v), C), v);
      dG = add(t, scale(t, mul(t, B, v), 2), C);
    } else {
      Var A = sub(t, mul(t, add(t, d0, d1), w), scale(t, h, 2));
      Var B = sub(t, scale(t, h, 3), mul(t, add(t, scale(t, d0, 2), d1), w));
      G = mul(t, add(t, mul(t, add(t, mul(t, A, v), B), v), C), v);
      dG = add(t, mul(t, add(t, scale(t, mul(t, A, v), 3), scale(t, B, 2)), v), C);
    }
  }
  Var ratio = div(t, to_size, size);
  Var z = add(t, of_box([](const SplineBox& b) { return b.bottom; }), mul(t, add(t, pick(t, q.Y, k), G), to_size));
  Var l = unary(t, Unary::log, mul(t, div(t, dG, w), ratio));
  Var beyond = add_scalar(t, zero, 1);
  if (open) {
    Var ends = q.d ? q.d : scale(t, q.h, static_cast<double>(bins));  // linear pieces have the slopes of the bins
    const int64_t last = ends->out.shape[1] - 1;
    beyond = mul(t, pick(t, ends, indices(t, rows, [&](int64_t r) { return p.above[r] ? last : 0; })), ratio);
  }
  return p.join(t, z, l, beyond);
}

}  // namespace libnf
