// Rows of a table by label (runtime/op/class_rows.cc).
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

// y[r] = table[label of row r], table [C, d]; labels [n, 1] hold 0 ... C - 1, or, one-hot, are [n, C] with a single 1 among
// zeros. A row whose label is anything else is NaN, and has no gradient. Labels have none.
Var class_rows(Tape& t, Var table, Var labels, bool one_hot);
// The label in C numbers or in one; -1: it is none.
template <class T>
int64_t label_of(const T* p, int64_t classes, bool one_hot);

}  // namespace nf
