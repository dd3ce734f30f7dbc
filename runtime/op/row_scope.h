// Where the inside of an op runs when it sees a part of the rows of a graph: its scratch memory and, for errors that
// name a row, which rows these are.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

struct RowScope {
  RowScope(Tape& t, int64_t first = 0) : tape(t), first_row(first) {}
  Tape& tape;
  int64_t first_row;  // which row of the graph is row 0 here
  int64_t global_row(int64_t row) const { return tape.random.first_row + first_row + row; }
};

}  // namespace nf
