// Building blocks of tangent rules. Every function records ordinary ops, so its result can be differentiated again. A
// tangent that is nullptr is zero, and stays nullptr where possible.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Return a + b and a - b, where b may broadcast over `shape`, the shape of a and the result.
Var plus(Tape& t, const Dims& shape, Var a, Var b);
Var minus(Tape& t, const Dims& shape, Var a, Var b);
// Returns factor * x.
Var scaled(Tape& t, Var x, double factor);
// Broadcasts one number to all elements of `shape`.
Var spread(Tape& t, Var number, const Dims& shape);
// Returns x itself, or zeros of that shape.
Var or_zeros(Tape& t, Var x, const Dims& shape);

// Parameters that are shared or given per row: [count] -> [count]; [1, count] -> [count]; [n, count] stays as it is.
Var row_params(Tape& t, Var p, int64_t rows, int64_t count);
// Returns [n, count], one set per row, from either form.
Var rows_of_params(Tape& t, Var p, int64_t rows, int64_t count);
// Reshapes [n] to [n, 1].
Var as_column(Tape& t, Var v);

// Returns y [n, d] with y[:, order[i]] = u[:, i]; order is a permutation.
Var in_place_of(Tape& t, Var u, const int32_t* order);

// Returns x [n, d] with column index[j] replaced by column j of u [n, m].
Var replace_columns(Tape& t, Var x, const int32_t* index, int64_t m, Var u);

// y [n, d] is recorded by a rule, and its Jacobian with respect to x [n, d] is triangular when columns are in `order`.
// Returns the dx for which dy, along dx and everything older than the rule, equals `want`. `diagonal` [n, d] is that of
// the Jacobian. Forward substitution: takes d tangents of y, each a pass through the ops that compute y.
Var solve_triangular(Tape& t, const InputTangents& d, Var x, Var y, Var diagonal, Var want, const int32_t* order);

}  // namespace libnf
