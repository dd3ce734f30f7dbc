// Orthonormal rows.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Returns the orthonormal rows nearest to those of A, (A A^T)^(-1/2) A, for m <= d rows. A is [m d], or [n, m d] for n
// matrices.
Var polar_rows(Tape& t, Var a, int64_t m);

}  // namespace libnf
