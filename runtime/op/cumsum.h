// Cumulative sums over the last axis, for any shape.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

Var cumsum(Tape& t, Var x);

}  // namespace nf
