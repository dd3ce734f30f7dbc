// The maps from a net's raw output to a positive scale that affine layers share.
#pragma once
#include "runtime/op/ops.h"

namespace libnf {

// kernel::scale_map as ordinary ops, for tangents. raw may have any shape.
struct ScaleVars {
  Var s, log_s;
};
ScaleVars scale_map(Tape& t, ScaleMap map, double cap, Var raw);

}  // namespace libnf
