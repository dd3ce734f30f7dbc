// The support of a distribution of rows (runtime/op/support.cc).
#pragma once
#include "runtime/kernel/support.h"
#include "runtime/tape/tape.h"

namespace libnf {

// [n] for x [n, d]: 0, or -infinity for a row outside the support. No gradient.
Var row_support(Tape& t, Var x, const kernel::Support& support);

}  // namespace libnf
