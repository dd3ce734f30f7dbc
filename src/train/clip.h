// Gradient clipping: by global norm (factor min(1, max_norm / (norm + 1e-6)), as in PyTorch) and by value.
// The sum of squares is computed in double, in chunks whose borders depend only on n and in a fixed order within each
// chunk, without fused operations, so the bits are the same for any number of threads and any SIMD target. The relative
// error is below 1e-12. A NaN or infinity in the gradient makes the norm NaN or infinite, so the trainer tests
// isfinite(norm) before a step.
#pragma once
#include <cstdint>

#include "src/part/config.h"

namespace libnf {

struct ClipConfig : Config {
  double max_norm = 0;   // 0: off
  double max_value = 0;  // 0: off
  void fields(Fields& f) override;
};

// Maximum number of elements in a chunk; its sum of squares is kernel::sum_squares.
inline constexpr int64_t kNormChunk = 16384;

// Returns the 2-norm from the sums of all chunks, in order; 0 if there are no chunks.
double combine_norm(const double* sumsq, int64_t chunks);

// Returns the factor for the gradient: 1 if max_norm is 0 (off), NaN for a NaN norm.
double norm_factor(double norm, double max_norm);

// Clamps the elements [begin, end) to [-limit, limit]; NaN stays NaN.
template <class T>
void clip_value(T* grad, double limit, int64_t begin, int64_t end);

}  // namespace libnf
