// Elementwise arithmetic that broadcasts b over a. b has a's shape, or its extents without leading and trailing ones
// match consecutive extents of a: [d] or [n, 1] with [n, d], [c, 1, 1] with [n, c, h, w], a scalar [] or [1].
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var add(Tape& t, Var a, Var b);
Var sub(Tape& t, Var a, Var b);
Var mul(Tape& t, Var a, Var b);
Var div(Tape& t, Var a, Var b);
Var maximum(Tape& t, Var a, Var b);  // at ties the gradient goes to a
Var minimum(Tape& t, Var a, Var b);
Var scale(Tape& t, Var x, double factor);
Var add_scalar(Tape& t, Var x, double c);

}  // namespace libnf
