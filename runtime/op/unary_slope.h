// The derivatives of the element-wise functions of runtime/kernel/unary.h, rewritten in other ops.
#pragma once
#include "runtime/op/ops.h"

namespace libnf {

// Returns f'(x; a), up to a constant; nullptr where it is constant between kinks.
Var unary_slope(Tape& t, kernel::Unary f, double a, Var x);

}  // namespace libnf
