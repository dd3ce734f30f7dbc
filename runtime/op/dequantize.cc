// dequantize: y_j = c_j + |cell| u_j, u_j uniform on (0, 1), c_j the lower end of the cell of x_j's level, for the
// columns of an index; log_det = their number times log |cell|, or -infinity if some x_j is not a level.
// quantize: x_j = the level whose cell contains y_j. Both are constant in those columns, so gradients flow only through
// the other columns, which pass unchanged. With Tape::through_rounding, dequantize is differentiated as if x_j moved
// together with its cell: dy_j/dx_j = |cell| / (merge step). runtime/kernel/quantize.h defines cells.
#include "runtime/op/dequantize.h"

#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/low.h"
#include "runtime/kernel/random.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

struct GridAttr {
  std::span<const int32_t> index;
  kernel::Grid grid;
  uint32_t stream;
  bool inverse;
};

Shapes shape(const Node& n) {
  need_rank(n, 0, 2);
  Shapes s;
  s.out = n.in[0]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {s.out[1]};  // dy_j/dx_j: 1 for columns that pass through
  s.has_saved = true;
  return s;
}

// Maps the columns of the index in one row from numbers of type From to numbers of type To. Returns the log-density that
// dequantizing adds.
template <class From, class To>
double map_levels(Tape& t, const GridAttr& a, int64_t row, const From* from, To* u, To* to) {
  const auto m = static_cast<int64_t>(a.index.size());
  if (a.inverse) {
    kernel::quantize(a.grid, from, to, m);
    return 0;
  }
  kernel::uniform_open<To>({t.random.seed, a.stream}, t.random.row_of(row), 1, m, u, m);
  return kernel::dequantize(a.grid, from, u, to, m);
}

// f(from, u, to) for every row: `from` are the columns of the index, and what f leaves in `to` is stored in their place.
template <class From, class To, class Get, class Put>
void each_row(Tape& t, Node& n, Get&& get, Put&& put) {
  const auto& a = n.attr<GridAttr>();
  const auto m = static_cast<int64_t>(a.index.size());
  const ScratchScope scope(t);
  From* from = t.scratch<From>(m);
  To *u = t.scratch<To>(m), *to = t.scratch<To>(m);
  const double volume = static_cast<double>(m) * std::log(a.grid.cell());
  for (int64_t r = 0; r < n.out.shape[0]; ++r) {
    for (int64_t i = 0; i < m; ++i) from[i] = get(r, a.index[static_cast<size_t>(i)]);
    const double log_det = (a.inverse ? -volume : volume) + map_levels(t, a, r, from, u, to);
    for (int64_t i = 0; i < m; ++i) put(r, a.index[static_cast<size_t>(i)], to[i]);
    with_dtype(n.out.dtype, [&]<class T>() { n.extra->y<T>()[r] = static_cast<T>(log_det); });
  }
}

// Rows in float32 that carry what rounding took from them, or whose images are to: levels and points are doubles.
void forward_low(Tape& t, Node& n) {
  const auto x = matrix_of<float>(n.view(0)), y = matrix_of<float>(n.out);
  const Rows<const float> low{n.in[0]->low, x.rows, x.cols, x.ld};
  if (t.keeps_low) n.low = t.take_low(n);
  const Rows<float> y_low{n.low, y.rows, y.cols, y.ld};
  if (n.low) {
    kernel::fill<float>(0, n.low, n.out.count());
    for (int64_t r = 0; low.p && r < x.rows; ++r) kernel::copy<float>(low.row(r), y_low.row(r), x.cols);
  }
  const auto get = [&](int64_t r, int32_t j) {
    return static_cast<double>(x.row(r)[j]) + (low.p ? static_cast<double>(low.row(r)[j]) : 0);
  };
  if (n.low)
    each_row<double, double>(
        t, n, get, [&](int64_t r, int32_t j, double v) { kernel::split_low(&v, y.row(r) + j, y_low.row(r) + j, 1); });
  else
    each_row<double, float>(t, n, get, [&](int64_t r, int32_t j, float v) { y.row(r)[j] = v; });
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto& a = n.attr<GridAttr>();
  const auto x = matrix_of<T>(n.view(0)), y = matrix_of<T>(n.out);
  T* slope = static_cast<T*>(n.saved);
  kernel::fill<T>(1, slope, x.cols);
  const double moved =
      t.through_rounding && !a.inverse ? a.grid.cell() / (static_cast<double>(a.grid.merge) * a.grid.step) : 0;
  for (const int32_t j : a.index) slope[j] = static_cast<T>(moved);
  for (int64_t r = 0; r < x.rows; ++r) kernel::copy<T>(x.row(r), y.row(r), x.cols);
  if (std::is_same_v<T, float> && (n.in[0]->low || t.keeps_low)) return forward_low(t, n);
  each_row<T, T>(
      t, n, [&](int64_t r, int32_t j) { return x.row(r)[j]; }, [&](int64_t r, int32_t j, T v) { y.row(r)[j] = v; });
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const View arrived = t.grad_out(n);
  if (!arrived.data) return;
  const auto gy = matrix_of<T>(arrived), gx = matrix_of<T>(grads.add(0));
  for (int64_t r = 0; r < gx.rows; ++r) kernel::mul_add(gy.row(r), static_cast<const T*>(n.saved), gx.row(r), gx.cols);
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return mul(t, d[0], t.input(contiguous_view(n.saved, n.out.dtype, {n.out.shape[1]}), false));
}

const Op kDequantize = {"dequantize", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};
const Op kQuantize = {"quantize", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

constexpr int32_t kFirst[] = {0}, kTwo[] = {1, 0};

// Draws the same numbers each time a test evaluates it.
Var draw(Tape& t, Var x, std::span<const int32_t> index, const kernel::Grid& grid) {
  t.random = RandomKey{7, 3, t.random.first_row, 0};
  return dequantize(t, x, index, grid).y;
}

const OpCase kCases[] = {
    {"dequantize",
     {{"n1", Domain::integer}},
     [](Tape& t, const Var* in) {
       return draw(t, in[0], kFirst, {1, 0});
     }},
    {"dequantize_some",
     {{"n3", Domain::integer}},
     [](Tape& t, const Var* in) {
       return draw(t, in[0], kTwo, {1, 8});
     }},
    {"dequantize_merged",
     {{"n3", Domain::integer}},
     [](Tape& t, const Var* in) {
       return draw(t, in[0], kTwo, {1, 8, 4});
     }},
    // All values are in one cell, because x jumps between cells.
    {"quantize",
     {{"n3", Domain::positive}},
     [](Tape& t, const Var* in) {
       return quantize(t, in[0], kTwo, {8, 0}).y;
     }},
};

}  // namespace

extern const OpFamily family_dequantize;
const OpFamily family_dequantize = {"dequantize", kCases, std::size(kCases)};

Mapped dequantize(Tape& t, Var x, std::span<const int32_t> index, const kernel::Grid& grid) {
  return mapped(t.record(kDequantize, {x}, GridAttr{index, grid, next_random_stream(t), false}));
}

Mapped quantize(Tape& t, Var y, std::span<const int32_t> index, const kernel::Grid& grid) {
  return mapped(t.record(kQuantize, {y}, GridAttr{index, grid, 0, true}));
}

}  // namespace libnf
