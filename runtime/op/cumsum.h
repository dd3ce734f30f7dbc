// Cumulative sums over the last axis, for any shape.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var cumsum(Tape& t, Var x);

}  // namespace libnf
