// Products and solves with a lower triangular matrix for every row (runtime/op/row_triangular.cc). For one that all rows
// share, triangular.cc is faster.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

// y = L x for every row of x [n, d], L with the diagonal [d] and entries [d (d - 1)/2] below it, row by row (nullptr for
// d = 1), each of them shared or [n, count]: a row's own. row_triangular_solve: x with L x = y.
Var row_triangular_product(Tape& t, Var x, Var entries, Var diagonal);
Var row_triangular_solve(Tape& t, Var y, Var entries, Var diagonal);

}  // namespace nf
