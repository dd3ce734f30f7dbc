// Pieces that tangent rules are made of. Every function records ordinary ops, so what it gives can be differentiated
// again. A tangent that is nullptr is zero, and stays nullptr where it can.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

// a + b and a - b, where b may broadcast over `shape`, which is that of the result and of a.
Var plus(Tape& t, const Dims& shape, Var a, Var b);
Var minus(Tape& t, const Dims& shape, Var a, Var b);
// `factor` times x.
Var scaled(Tape& t, Var x, double factor);
// One number for all elements of `shape`.
Var spread(Tape& t, Var number, const Dims& shape);
// x itself, or a tensor of zeros of that shape.
Var or_zeros(Tape& t, Var x, const Dims& shape);

// [count] -> [count]; [1, count] -> [count]; [n, count] as it is: parameters that all rows share, or one set per row.
Var row_params(Tape& t, Var p, int64_t rows, int64_t count);
// [n, count] with one set per row, from either form.
Var rows_of_params(Tape& t, Var p, int64_t rows, int64_t count);
// [n] -> [n, 1]
Var as_column(Tape& t, Var v);

// y [n, d] with y[:, order[i]] = u[:, i]; order is a permutation.
Var in_place_of(Tape& t, Var u, const int32_t* order);

// x [n, d] with column index[j] replaced by column j of u [n, m].
Var replace_columns(Tape& t, Var x, const int32_t* index, int64_t m, Var u);

// For y [n, d], recorded by a rule, whose Jacobian by x [n, d] is triangular when columns are taken in `order`: the
// dx that makes dy, along dx and everything older than the rule, equal to `want`. `diagonal` [n, d] is that of the
// Jacobian. Forward substitution: d tangents of y, each a pass through what makes y.
Var solve_triangular(Tape& t, const InputTangents& d, Var x, Var y, Var diagonal, Var want, const int32_t* order);

}  // namespace nf
