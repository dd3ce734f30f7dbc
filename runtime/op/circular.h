// circular.cc: y[:, j] = x[:, j] + period turns_j on the circle [low, low + period); inverse: by -turns. x [n, d], turns
// [d]. No log_det: it is zero. x from anywhere outside is wrapped.
#pragma once
#include "runtime/tape/tape.h"

namespace nf {

Var circular_shift(Tape& t, Var x, Var turns, double low, double period, bool inverse);

}  // namespace nf
