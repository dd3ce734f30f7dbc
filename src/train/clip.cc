// Gradient clipping; definitions and guarantees in clip.h. The sum of squares is a kernel; clamping is a plain
// loop that the compiler vectorises for the baseline target, which runs at memory speed.
#include "src/train/clip.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernel/reduce.h"

namespace nf {
namespace {

using C = ClipConfig;
constexpr Field<C> kFields[] = {
    field<&C::max_norm>("clip_norm", "largest global 2-norm of the gradient; 0: no limit", 0, 1e12, 0),
    field<&C::max_value>("clip_value", "largest magnitude of a gradient element; 0: no limit", 0, 1e12, 0),
};

}  // namespace

std::span<const Field<ClipConfig>> clip_fields() { return kFields; }

template <class T>
double chunk_sumsq(const T* grad, int64_t n, int64_t chunk) {
  const int64_t begin = chunk * kNormChunk;
  return kernel::sum_squares(grad + begin, std::min(kNormChunk, n - begin));
}

double combine_norm(const double* sumsq, int64_t chunks) {
  double sum = 0;
  for (int64_t i = 0; i < chunks; ++i) sum += sumsq[i];
  return std::sqrt(sum);
}

double norm_factor(double norm, double max_norm) {
  if (max_norm == 0) return 1;
  const double factor = max_norm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

template <class T>
void clip_value(T* grad, double limit, int64_t begin, int64_t end) {
  const T high = static_cast<T>(limit), low = -high;
  for (int64_t i = begin; i < end; ++i) {
    const T g = grad[i];
    const T below = g > high ? high : g;
    grad[i] = below < low ? low : below;
  }
}

template double chunk_sumsq<float>(const float*, int64_t, int64_t);
template double chunk_sumsq<double>(const double*, int64_t, int64_t);
template void clip_value<float>(float*, double, int64_t, int64_t);
template void clip_value<double>(double*, double, int64_t, int64_t);

}  // namespace nf
