// Softmax over the last axis, for any shape.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

Var softmax(Tape& t, Var x);
Var log_softmax(Tape& t, Var x);

}  // namespace nf
