// Products of rows with a matrix that is shared by all rows or given per row.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Computes A x for x [n, d], A [m d] or [n, m d]; transposed: A^T x for x [n, m].
Var row_matrix(Tape& t, Var x, Var a, int64_t m, bool transposed);

}  // namespace libnf
