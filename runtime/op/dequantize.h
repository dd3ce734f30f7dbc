// Uniform noise on values that lie on a grid, and the way back (runtime/op/dequantize.cc).
#pragma once
#include <span>

#include "runtime/kernel/quantize.h"
#include "runtime/op/mapped.h"

namespace nf {

// y = x, but columns `index` of y [n, d] are points of the cells of their levels, drawn uniformly with the tape's key;
// log_det: the log volume of a cell for every row, -infinity for a row with a value that is not a level. What
// is drawn is a function of (seed, stream, row), with rows as in RandomKey. Gradients pass through the other columns
// only: y does not change with x within a level.
Mapped dequantize(Tape& t, Var x, std::span<const int32_t> index, const kernel::Grid& grid);
// x = y, but columns `index` are the levels whose cells they are in; log_det: minus the log volume of a cell.
Mapped quantize(Tape& t, Var y, std::span<const int32_t> index, const kernel::Grid& grid);

}  // namespace nf
