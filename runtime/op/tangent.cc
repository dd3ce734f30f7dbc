#include "runtime/op/tangent.h"

#include <numeric>

#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/repeat_rows.h"

namespace libnf {

Var or_zeros(Tape& t, Var x, const Dims& shape) { return x ? x : t.zeros(shape); }

Var plus(Tape& t, const Dims& shape, Var a, Var b) {
  if (!b || (!a && b->out.shape == shape)) return b ? b : a;
  return add(t, or_zeros(t, a, shape), b);
}

Var minus(Tape& t, const Dims& shape, Var a, Var b) {
  if (!b) return a;
  if (!a && b->out.shape == shape) return scale(t, b, -1);
  return sub(t, or_zeros(t, a, shape), b);
}

Var scaled(Tape& t, Var x, double factor) { return x ? scale(t, x, factor) : nullptr; }

Var spread(Tape& t, Var number, const Dims& shape) { return number ? add(t, t.zeros(shape), number) : nullptr; }

Var row_params(Tape& t, Var p, int64_t rows, int64_t count) {
  const Dims& s = p->out.shape;
  return s.rank == 2 && s[0] == rows && s[1] == count ? p : reshape(t, p, {count});
}

Var rows_of_params(Tape& t, Var p, int64_t rows, int64_t count) {
  Var v = row_params(t, p, rows, count);
  return v->out.shape.rank == 2 ? v : repeat_rows(t, reshape(t, v, {1, count}), rows);
}

Var as_column(Tape& t, Var v) { return reshape(t, v, {v->out.shape[0], 1}); }

Var in_place_of(Tape& t, Var u, const int32_t* order) {
  const int64_t d = u->out.shape[1];
  int32_t* from = t.scratch<int32_t>(d);
  for (int64_t i = 0; i < d; ++i) from[order[i]] = static_cast<int32_t>(i);
  return gather_columns(t, u, from, d);
}

Var replace_columns(Tape& t, Var x, const int32_t* index, int64_t m, Var u) {
  const int64_t d = x->out.shape[1];
  int32_t* from = t.scratch<int32_t>(d);
  std::iota(from, from + d, 0);
  for (int64_t j = 0; j < m; ++j) from[index[j]] = static_cast<int32_t>(d + j);
  return gather_columns(t, concat_columns(t, x, u), from, d);
}

Var solve_triangular(Tape& t, const InputTangents& d, Var x, Var y, Var diagonal, Var want, const int32_t* order) {
  const int64_t cols = x->out.shape[1];
  Var dx = nullptr;
  for (int64_t i = 0; i < cols; ++i) {
    const int64_t c = order[i];
    Var rest = minus(t, x->out.shape, want, d.along(x, dx, y).y);
    if (!rest) continue;
    Var unit = t.zeros({1, cols});
    with_dtype(t.dtype(), [&]<class T>() { unit->out.as<T>()[c] = 1; });
    Var column = div(t, slice_columns(t, rest, c, 1), slice_columns(t, diagonal, c, 1));
    dx = linear_add(t, column, unit, nullptr, dx);
  }
  return dx;
}

}  // namespace libnf
