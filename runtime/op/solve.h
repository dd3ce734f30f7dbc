// Determinants and solves by LU factors in float64.
#pragma once
#include "runtime/op/mapped.h"

namespace libnf {

// Computes log |det w| for [..., d, d] -> [...]. Factored in float64; -inf for a singular matrix.
Var slogdet(Tape& t, Var w);
// Solves y W = x for every row of x [n, d], W [d, d]: the inverse of matmul(y, W), with log_det = -log |det W|.
// Factored and solved in float64. A singular W gives infinities and NaN.
Mapped solve(Tape& t, Var x, Var w);

}  // namespace libnf
