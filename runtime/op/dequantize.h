// Uniform noise for values on a grid, and its inverse (runtime/op/dequantize.cc).
#pragma once
#include <span>

#include "runtime/kernel/quantize.h"
#include "runtime/op/mapped.h"

namespace libnf {

// Returns y = x, except that columns `index` of y [n, d] are uniform points of the cells of their levels, drawn with
// the tape's key. log_det is the log volume of the cells for every row, -infinity for a row with a value that is not a
// level. The draws are a function of (seed, stream, row), with rows as in RandomKey. Gradients pass through the other
// columns only: y does not change with x within a level.
Mapped dequantize(Tape& t, Var x, std::span<const int32_t> index, const kernel::Grid& grid);
// Returns x = y, except that columns `index` are the levels whose cells contain them; log_det is minus the log volume.
Mapped quantize(Tape& t, Var y, std::span<const int32_t> index, const kernel::Grid& grid);

}  // namespace libnf
