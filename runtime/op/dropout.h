// Dropout, and the random streams that ops of one step draw from.
#pragma once
#include <cstdint>

#include "runtime/tape/tape.h"

namespace nf {

// In training, zeroes a share `rate` and divides the rest by 1 - rate, as a function of (seed, step, row);
// x itself unless t.training
Var dropout(Tape& t, Var x, double rate);
// Its masks are drawn from this stream: distinct for every random op of a step.
uint32_t next_random_stream(Tape& t);

}  // namespace nf
