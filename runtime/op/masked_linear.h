// Products with a masked matrix, on data stored by unit: x [d, n], y [m, n] for n rows of the batch.
#pragma once
#include "runtime/kernel/staircase.h"
#include "runtime/op/activation.h"

namespace libnf {

// Computes y = act(W^T x + b) + r, by unit: x [d, n], y and r [m, n] for n rows of the batch, b [m] or nullptr. w has
// the unmasked entries of a staircase of d rows and m columns, which is borrowed. An activation and r exclude each
// other.
Var masked_linear(Tape& t, const kernel::Staircase& s, Var x, Var w, Var b, Var residual, const Activation& act);

}  // namespace libnf
