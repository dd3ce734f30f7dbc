// What Sylvester flows are made of (van den Berg et al. 2018): the map between two triangular matrices, products with a
// matrix for every row, orthonormal matrices. `sets`: parameters are shared, [k], or one set for every row, [n, k].
#pragma once
#include "runtime/op/mapped.h"
#include "runtime/op/root.h"

namespace nf {

// sylvester.cc: v = R1 tanh(a), a = R2 y + b, for y [n, m]; upper triangular R1 and R2 from p [m m + 2 m] sets = (a
// matrix F, row by row | raw d2 | b): R1 is F above its diagonal, R2 its transpose, diagonals tanh(diag F), tanh(d2).
// log_det is that of y -> y + v. inverse: v such that y' = y - v goes back to y, and the log_det of that.
Mapped sylvester(Tape& t, Var y, Var p, bool inverse, const RootLimits& limits);

// row_matrix.cc: A x for x [n, d], A [m d] sets; transposed: A^T x for x [n, m].
Var row_matrix(Tape& t, Var x, Var a, int64_t m, bool transposed);

// polar.cc: the orthonormal rows nearest to those of A, (A A^T)^(-1/2) A, for A [m d] sets of m <= d rows.
Var polar_rows(Tape& t, Var a, int64_t m);

// reflect.cc: x [n, d] after k reflections along v [k d] sets, the first one first, or last when reversed.
Var reflect(Tape& t, Var x, Var v, int64_t k, bool reversed);

}  // namespace nf
