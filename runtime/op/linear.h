// Products with a matrix, and what goes with them in one node: bias, residual, activation.
#pragma once
#include "runtime/op/activation.h"

namespace nf {

// y = x W + b; x [n, d], W [d, m] (in x out), b [m] or nullptr
Var linear(Tape& t, Var x, Var w, Var b);
// y = x W + b + r, for residual connections; r [n, m]
Var linear_add(Tape& t, Var x, Var w, Var b, Var residual);
// y = act(x W + b), as one node when the activation's derivative is a function of y
Var linear_activated(Tape& t, Var x, Var w, Var b, const Activation& act);
Var matmul(Tape& t, Var a, Var b);  // [n, d], [d, m] -> [n, m]

}  // namespace nf
