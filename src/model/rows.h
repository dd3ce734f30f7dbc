// Moving rows between the caller's memory (any strides, either dtype) and a tape.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {
// Rows [first, first + count) of a rank-2 view as a fresh Var; a view with one row serves any number (stride 0).
Var load_rows(Tape& t, const View& from, int64_t first, int64_t count);
// Writes v [count, d] or [count] into rows [first, first + count) of `to`.
void store_rows(const Var v, const View& to, int64_t first);
// All of `from` into `to`; ranks 1 (a column) or 2, the same number of rows and columns.
void copy_rows(const View& from, const View& to);
bool all_finite(Var v);
// Element r of a rank-1 view as a double.
double scalar_at(const View& v, int64_t r);
}  // namespace nf
