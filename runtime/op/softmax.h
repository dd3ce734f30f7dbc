// Softmax over the last axis, for any shape.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var softmax(Tape& t, Var x);
Var log_softmax(Tape& t, Var x);

}  // namespace libnf
