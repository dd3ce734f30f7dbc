// Rows of a table by label (runtime/op/class_rows.cc).
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Computes y[r] = table[label of row r], table [C, d]. labels are [n, 1] with values 0 ... C - 1, or, one-hot, [n, C]
// with a single 1 among zeros. A row with any other label is NaN and has no gradient. Labels have no gradient.
Var class_rows(Tape& t, Var table, Var labels, bool one_hot);
// Decodes a label, one-hot (C numbers) or as an index (one number). Returns -1 if it is not a valid label.
template <class T>
int64_t label_of(const T* p, int64_t classes, bool one_hot);

}  // namespace libnf
