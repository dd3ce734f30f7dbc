// circular.cc: y[:, j] = x[:, j] + period turns_j on the circle [low, low + period); the inverse shifts by -turns.
// x [n, d], turns [d]. There is no log_det, since it is zero. An x outside the circle is wrapped.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var circular_shift(Tape& t, Var x, Var turns, double low, double period, bool inverse);

}  // namespace libnf
