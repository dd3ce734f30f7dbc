// Scalar functions of radial maps z = x0 + s (x - x0), s = (r + b)/(r + alpha), on spans of n rows
// (runtime/op/radial.cc has the formulas). alpha and b are one number for all (step 0), or one for each (1). Every
// operation is rounded on its own, in the order of the formulas: the same bits on every SIMD target.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// r, s, q and the factor on x - x0 from the length |x - x0| in r. With `inverse` the length is |z - x0|, for which r is
// found, and the factor 1/s.
template <class T>
void radial(bool inverse, const T* alpha, const T* b, int64_t step, T* r, T* s, T* q, T* factor, int64_t n);

// One row's numbers of a radial map, and what they pass back.
template <class T>
struct RadialGrad {
  const T *alpha, *b;
  int64_t step;
  const T *r, *s, *q;  // of `radial`
  const T* length;     // |x - x0|, or |z - x0| with `inverse`
  const T *dot, *gl;   // <g, offset>, gradient of log_det (nullptr: 0)
  T *g_alpha, *g_b;    // are overwritten, as the next two
  T *factor, *pull;    // of g and of the offset in the gradient of the offset
};
// `others` is the number of columns but one.
template <class T>
void radial_grad(bool inverse, T others, const RadialGrad<T>& g, int64_t n);

}  // namespace libnf::kernel
