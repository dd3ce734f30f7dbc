// The maps from a net's raw output to a positive scale that affine layers share.
#pragma once
#include "runtime/op/ops.h"

namespace nf {

// From raw (in `slope`, n elements): scale s, log s, and d(log s)/d(raw), which replaces raw. The spans are apart.
template <class T>
void scale_map(ScaleMap map, T cap, T* s, T* log_s, T* slope, int64_t n);

// The same as ordinary ops, for tangents. raw may have any shape.
struct ScaleVars {
  Var s, log_s;
};
ScaleVars scale_map(Tape& t, ScaleMap map, double cap, Var raw);

}  // namespace nf
