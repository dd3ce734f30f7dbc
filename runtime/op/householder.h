// Householder reflections shared by all rows.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Reflects every row x [n, d] by the k rows of v [k, d], x <- x - 2 v (v.x)/(v.v), in order, or in reverse order if
// `reversed`.
Var householder(Tape& t, Var x, Var v, bool reversed);

}  // namespace libnf
