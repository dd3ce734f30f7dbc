// The context of code inside an op that processes some of a graph's rows: its scratch memory and, for errors that name
// a row, the index of the first row.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

struct RowScope {
  RowScope(Tape& t, int64_t first = 0) : tape(t), first_row(first) {}
  Tape& tape;
  int64_t first_row;  // index in the graph of row 0 here
  int64_t global_row(int64_t row) const { return tape.random.first_row + first_row + row; }
};

}  // namespace libnf
