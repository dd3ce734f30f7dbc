// Products and solves with a triangular matrix for every row of x [n, d].
#pragma once
#include <cstdint>

#include "runtime/tape/tape.h"

namespace libnf {

// Computes y = A x for every row of x [n, d], A [d, d] triangular with off-diagonal entries [d (d - 1)/2] row by row
// (nullptr for d = 1) and diagonal [d] (nullptr: ones). triangular_solve: solves A x = y for x.
enum class Triangle : uint8_t { lower, upper };
Var triangular_product(Tape& t, Triangle part, Var x, Var entries, Var diagonal);
Var triangular_solve(Tape& t, Triangle part, Var y, Var entries, Var diagonal);

}  // namespace libnf
