// The core of Sylvester flows, between two triangular matrices (van den Berg et al. 2018, eq. 8-13).
#pragma once
#include "runtime/op/mapped.h"
#include "runtime/op/root.h"

namespace nf {

// v = R1 tanh(a), a = R2 y + b, for y [n, m]. p [m m + 2 m], or [n, m m + 2 m] with parameters for every row, holds
// (a matrix F, row by row | raw d2 | b): upper triangular R1 is F above its diagonal, R2 its transpose, with diagonals
// tanh(diag F) and tanh(d2).
// log_det is that of y -> y + v. inverse: v such that y' = y - v goes back to y, and the log_det of that.
Mapped sylvester(Tape& t, Var y, Var p, bool inverse, const RootLimits& limits);

}  // namespace nf
