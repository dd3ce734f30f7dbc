// Gradient clipping; definitions and guarantees in clip.h. Clamping is a plain loop that the compiler vectorizes for the
// baseline target, which runs at memory speed.
#include "src/train/clip.h"

#include <cmath>

namespace libnf {
void ClipConfig::fields(Fields& f) {
  f.real("clip_norm", "largest global 2-norm of the gradient; 0: no limit", max_norm, 0, 1e12);
  f.real("clip_value", "largest magnitude of a gradient element; 0: no limit", max_value, 0, 1e12);
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

template void clip_value<float>(float*, double, int64_t, int64_t);
template void clip_value<double>(double*, double, int64_t, int64_t);

}  // namespace libnf
