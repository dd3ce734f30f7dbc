// Shared by the layers with a dense matrix: a bound on its size, random rotations, the bias, and log-dets that are
// equal for all rows.
#pragma once
#include <vector>

#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace libnf {

// A matrix has d^2 numbers and drawing a rotation takes d^3 work, so larger specs are refused before memory is taken.
inline constexpr int64_t kMaxDenseColumns = 4096;
void check_dense(const Declare& d, const char* field);

// Returns a random orthogonal matrix [n, n], row-major, uniform (Haar) over all of them: the Q of a Gaussian matrix
// with the signs of R's diagonal (Mezzadri 2007, How to generate random matrices from the classical compact groups). A
// pure function of n, seed and key, computed in float64, with the same bits on every SIMD target.
std::vector<double> random_rotation(int64_t n, uint64_t seed, uint64_t key);

// Repeats the scalar `log_det` (rank 0 or [1]) for each row of x.
inline Var for_every_row(const Scope& s, Var x, Var log_det) {
  return add(s.tape, s.tape.zeros({x->out.shape[0]}), log_det);
}
inline Var plus_bias(const Scope& s, Var x, Var bias) { return bias ? add(s.tape, x, bias) : x; }
inline Var minus_bias(const Scope& s, Var x, Var bias) { return bias ? sub(s.tape, x, bias) : x; }

}  // namespace libnf
