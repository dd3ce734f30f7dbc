// The result of a map with a log-determinant: the two outputs of its op, as Vars.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

struct Mapped {
  Var y;
  Var log_det;  // [n], one number per row; nullptr if it is zero
};

// Returns both outputs of a recorded op that has a second one.
inline Mapped mapped(Var y) { return {y, y->extra}; }

}  // namespace libnf
