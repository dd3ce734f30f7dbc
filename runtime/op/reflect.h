// Reflections along vectors that are shared by all rows or given per row.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Applies k reflections along v ([k d] or [n, k d]) to x [n, d], in order, or in reverse order if `reversed`.
Var reflect(Tape& t, Var x, Var v, int64_t k, bool reversed);

}  // namespace libnf
