// Moves rows between the caller's memory (any strides, any dtype) and a tape.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {
// Loads rows [first, first + count) of a view [n, ...] as a new Var [count, columns], each row in row-major order of
// its extents. A view with one row is repeated as often as needed.
Var load_rows(Tape& t, const View& from, int64_t first, int64_t count);
// The same with what rounding to the tape's float32 takes from a float64 view (Node::low), if `with_low`.
Var load_rows(Tape& t, const View& from, int64_t first, int64_t count, bool with_low);
// Loads `count` rows that copy(to) writes, one after the other, from views like `from` into `to` [count, columns].
template <class Copy>
Var gather_rows(Tape& t, const View& from, int64_t count, bool with_low, Copy&& copy) {
  const Dims shape{count, from.count() / from.shape[0]};
  if (!with_low || !(from.dtype == DType::f64 || t.measuring)) {
    Var v = t.empty(shape);
    copy(v->out);
    return v;
  }
  const View wide = contiguous_view(t.scratch<double>(shape.count()), DType::f64, shape);
  copy(wide);
  return load_rows(t, wide, 0, count, true);
}
// Returns a float64 view of zeros, all in one place that the caller has; sets it to 0.
View zeros_of(double* zero, const Dims& shape);
// Loads one row of v, with its low part. A v with one row stands for all of them.
Var load_row(Tape& t, const Node& v, int64_t row);
// Writes v [count, d] or [count] into rows [first, first + count) of `to`, [n, ...] with as many columns. A float64 view
// gets the low part of v as well.
void store_rows(const Var v, const View& to, int64_t first);
// Returns rows [first, first + count) of a view.
View rows_of_view(const View& v, int64_t first, int64_t count);
// Copies all of `from` into `to`, which has as many rows and as many elements per row; ranks may differ. Bytes only come
// from bytes.
void copy_rows(const View& from, const View& to);
bool all_finite(Var v);
// Returns element r of a rank-1 view as a double.
double scalar_at(const View& v, int64_t r);
// Sets out[r] to the XXH64 of row r of x [n, d], followed by context [n or 1, c] or nullptr, each number as float64.
// Equal rows have equal hashes in any dtype that can represent them; -0 counts as 0, and all NaN are equal.
void hash_rows(Var x, Var context, uint64_t* out);
// Makes what the tape draws for each row a function of the seed and of the content of the row and its context, in place
// of the row's index, from the first stream on. Returns the keys, one per row, in scratch memory.
uint64_t* draw_by_content(Tape& t, Var x, Var context, uint64_t seed);
}  // namespace libnf
