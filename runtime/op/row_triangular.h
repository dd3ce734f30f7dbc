// Products and solves with a lower triangular matrix per row (runtime/op/row_triangular.cc). For a shared matrix,
// triangular.cc is faster.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Computes y = L x for every row of x [n, d], where L has the diagonal [d] and below it entries [d (d - 1)/2], row by
// row (nullptr for d = 1); each is shared or given per row, [n, count]. row_triangular_solve: solves L x = y for x.
Var row_triangular_product(Tape& t, Var x, Var entries, Var diagonal);
Var row_triangular_solve(Tape& t, Var y, Var entries, Var diagonal);

}  // namespace libnf
