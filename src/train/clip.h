// Gradient clipping: by global norm (factor min(1, max_norm / (norm + 1e-6)), as PyTorch) and by value.
// The sum of squares is taken in double, in chunks whose borders depend on n alone and in an order fixed inside each
// chunk, without fused operations: any number of threads on any SIMD target gives the same bits. Relative error below
// 1e-12. A NaN or infinity in the gradient makes the norm NaN or infinite, so isfinite(norm) is the trainer's test
// before a step.
#pragma once
#include <cstdint>

#include "src/part/config.h"

namespace nf {

struct ClipConfig : Config {
  double max_norm = 0;   // 0: off
  double max_value = 0;  // 0: off
  void fields(Fields& f) override;
};

// Elements of a chunk at most; its sum of squares is kernel::sum_squares.
inline constexpr int64_t kNormChunk = 16384;

// 2-norm from the sums of all chunks in order; n = 0 has no chunks and norm 0.
double combine_norm(const double* sumsq, int64_t chunks);

// What to multiply the gradient by; 1 when max_norm is 0 (off). NaN for a NaN norm.
double norm_factor(double norm, double max_norm);

// Clamps the elements [begin, end) to [-limit, limit]; NaN stays NaN.
template <class T>
void clip_value(T* grad, double limit, int64_t begin, int64_t end);

}  // namespace nf
