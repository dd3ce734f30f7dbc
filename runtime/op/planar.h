// Planar flow of rows, parameters shared or one set for every row; see planar.cc.
#pragma once
#include "runtime/kernel/ridge.h"
#include "runtime/op/mapped.h"
#include "runtime/op/root.h"

namespace libnf {

using kernel::Ridge;

struct PlanarMap {
  Ridge h = Ridge::tanh;
  double slope = 0.01;  // of leaky_relu below 0
  bool inverse = false;
  RootLimits limits;  // of the inverse
};

// x [n, d]; p [2 d + 1] or [n, 2 d + 1] holds (u | w | b).
Mapped planar(Tape& t, Var x, Var p, const PlanarMap& map);

}  // namespace libnf
