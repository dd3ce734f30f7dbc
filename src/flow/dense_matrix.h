// What the layers with a dense matrix share: a bound on its size, random rotations, the bias, and log-dets that are the
// same for every row.
#pragma once
#include <vector>

#include "runtime/op/ops.h"
#include "src/flow/layer.h"

namespace nf {

// d^2 numbers, and d^3 work to draw a rotation: a spec with more columns is refused before memory is.
inline constexpr int64_t kMaxDenseColumns = 4096;
void check_dense(const Declare& d, const char* field);

// A random orthogonal matrix [n, n], row-major, uniform (Haar) over all of them: the Q of a Gaussian matrix with the
// signs of R's diagonal (Mezzadri 2007, How to generate random matrices from the classical compact groups). A pure
// function of n, seed and key, in float64 and the same bits on every SIMD target.
std::vector<double> random_rotation(int64_t n, uint64_t seed, uint64_t key);

// The scalar `log_det` (rank 0 or [1]) for each of the rows of x.
inline Var for_every_row(const Scope& s, Var x, Var log_det) {
  return add(s.tape, s.tape.zeros({x->out.shape[0]}), log_det);
}
inline Var plus_bias(const Scope& s, Var x, Var bias) { return bias ? add(s.tape, x, bias) : x; }
inline Var minus_bias(const Scope& s, Var x, Var bias) { return bias ? sub(s.tape, x, bias) : x; }

}  // namespace nf
