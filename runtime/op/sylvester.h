// The core of Sylvester flows, between two triangular matrices (van den Berg et al. 2018, eq. 8-13).
#pragma once
#include "runtime/op/mapped.h"
#include "runtime/op/root.h"

namespace libnf {

// Computes v = R1 tanh(a), a = R2 y + b, for y [n, m]. p is [m m + 2 m], or [n, m m + 2 m] with parameters per row, and
// holds (a matrix F, row by row | raw d2 | b): the strict upper triangle of R1 is that of F, that of R2 is the
// transposed lower triangle of F, and the diagonals are tanh(diag F) and tanh(d2).
// log_det is that of y -> y + v. inverse: returns the v for which y - v maps to y, and the log_det of that map.
Mapped sylvester(Tape& t, Var y, Var p, bool inverse, const RootLimits& limits);

}  // namespace libnf
