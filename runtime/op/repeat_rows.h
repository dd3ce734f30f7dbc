// Repeats one row: x [1, d] -> [n, d]; the gradient is the sum over the rows, in order.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var repeat_rows(Tape& t, Var x, int64_t n);

}  // namespace libnf
