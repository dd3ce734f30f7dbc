// Reflections along vectors that all rows share, or others for every row.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

// x [n, d] after k reflections along v [k d], or [n, k d]: the first one first, or last when reversed.
Var reflect(Tape& t, Var x, Var v, int64_t k, bool reversed);

}  // namespace nf
