// The splines of runtime/kernel/spline.h and spline_pieces.h as ordinary ops, in the forward direction, also outside
// the interval. Tangents of maps built from them are derived from these. The bin of a point is a constant, so
// derivatives at a knot are those of the bin on its right, as in the kernels. Computed in the dtype of the tape.
#pragma once
#include <span>

#include "runtime/kernel/spline.h"
#include "runtime/kernel/spline_pieces.h"
#include "runtime/op/column_map.h"

namespace libnf {

// One box per block of equally many rows.
using SplineBoxes = std::span<const kernel::SplineBox* const>;

// Return z and log dz/dx [N, 1] of x [N, 1] with raw parameters [N, count]; numbers beyond those a row needs are
// ignored.
ColumnVars rational_spline(Tape& t, const kernel::SplineShape& shape, SplineBoxes boxes, Var x, Var raw);
ColumnVars pieces_spline(Tape& t, const kernel::PiecesShape& shape, SplineBoxes boxes, Var x, Var raw);

}  // namespace libnf
