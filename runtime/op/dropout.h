// Dropout, and the random streams of the ops of one step.
#pragma once
#include <cstdint>

#include "runtime/tape/tape.h"

namespace libnf {

// In training, zeroes a fraction `rate` and divides the rest by 1 - rate, as a function of (seed, step, row). Returns x
// itself if t.training is false.
Var dropout(Tape& t, Var x, double rate);
// Returns the stream for a random op's draws, distinct for every random op of a step.
uint32_t next_random_stream(Tape& t);

}  // namespace libnf
