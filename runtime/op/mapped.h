// What a map with a log-determinant gives: the two outputs of its op, as Vars.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

struct Mapped {
  Var y;
  Var log_det;  // [n], one number for every row; nullptr when it is zero
};

// The two outputs of a recorded op that has a second one.
inline Mapped mapped(Var y) { return {y, y->extra}; }

}  // namespace nf
