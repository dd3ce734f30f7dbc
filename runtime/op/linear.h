// Products with a matrix, optionally with bias, residual and activation in the same node.
#pragma once
#include "runtime/op/activation.h"

namespace libnf {

// Computes y = x W + b; x [n, d], W [d, m] (in x out), b [m] or nullptr.
Var linear(Tape& t, Var x, Var w, Var b);
// Computes y = x W + b + r, for residual connections; r [n, m].
Var linear_add(Tape& t, Var x, Var w, Var b, Var residual);
// Computes y = act(x W + b), as one node if the activation's derivative is a function of y.
Var linear_activated(Tape& t, Var x, Var w, Var b, const Activation& act);
Var matmul(Tape& t, Var a, Var b);  // [n, d], [d, m] -> [n, m]

}  // namespace libnf
