// Scalar functions of ridge maps z = x + u h(w.x + b), planar and Sylvester flows: h(a) and det = 1 + c h'(a).
// c is given as m = 1 + c > 0, and det is computed as (1 - h') + m h', so that nothing cancels where m is near 0. det
// and its logarithm are accurate to a few ULP, except for log det near 0, where the error is a few roundings of 1.
//   tanh        h' = sech^2 a
//   leaky_relu  h = a for a > 0, slope a below
//   elu         h = a for a > 0, e^a - 1 below
// m is one number for all elements (m_step 0) or one per element (m_step 1).
#pragma once
#include <cstdint>

namespace libnf::kernel {

enum class Ridge : uint8_t { tanh, leaky_relu, elu };

template <class T>
void ridge(Ridge f, T slope, const T* a, const T* m, int64_t m_step, T* h, T* log_det, int64_t n);
// Computes y = a + c h(a), which increases in a, and its slope det.
template <class T>
void ridge_equation(Ridge f, T slope, const T* a, const T* m, int64_t m_step, T* y, T* det, int64_t n);
// Computes dh = h', det, and the derivatives of log det with respect to a (dl) and m (dm).
template <class T>
void ridge_slopes(Ridge f, T slope, const T* a, const T* m, int64_t m_step, T* dh, T* det, T* dl, T* dm, int64_t n);

}  // namespace libnf::kernel
