// Element-wise functions of one argument, for any shape (runtime/kernel/unary.h lists them), and the activations of
// nets.
#pragma once
#include "runtime/kernel/unary.h"
#include "runtime/tape/tape.h"

namespace libnf {

using kernel::Unary;

// Computes y = f(x; a).
Var unary(Tape& t, Unary f, Var x, double a = 0);
Var unary_derivative(Tape& t, Unary f, Var x, double a = 0);  // f'(x; a)
// An activation of nets: relu, tanh, elu, leaky_relu, silu, gelu, softplus, sigmoid or identity.
struct Activation {
  bool identity = true;
  Unary f = Unary::relu;
  double a = 0;
};
Var activate(Tape& t, const Activation& act, Var x);
Var glu(Tape& t, Var x);  // a sigmoid(b) of the halves x = [a | b]: [n, 2 d] -> [n, d]

}  // namespace libnf
