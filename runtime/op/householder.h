// Householder reflections that all rows share.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

// Reflects every row x [n, d] in turn by the k rows of v [k, d], x <- x - 2 v (v.x)/(v.v): the first
// row of v comes first, or last when reversed.
Var householder(Tape& t, Var x, Var v, bool reversed);

}  // namespace nf
