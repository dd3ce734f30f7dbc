// Reductions: over all elements -> [], over the last axis [..., d] -> [...], over the first [n, ...] -> [...].
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var sum(Tape& t, Var x);
Var sum_last(Tape& t, Var x);
Var sum_first(Tape& t, Var x);
Var mean(Tape& t, Var x);
Var mean_last(Tape& t, Var x);
Var mean_first(Tape& t, Var x);
Var max_last(Tape& t, Var x);        // the gradient goes to the first maximum
Var logsumexp(Tape& t, Var x);       // last axis
Var row_dot(Tape& t, Var a, Var b);  // [..., d], [..., d] -> [...]

}  // namespace libnf
