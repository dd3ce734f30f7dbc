// Monotone functions of one argument and the logarithm of their slope, on contiguous spans: the elementwise layers of
// flows. Each function has an inverse, and each is computed in the form that keeps its digits at the ends.
// y is within 4 ulp and log_dy within 4 ulp(max(|log_dy|, 1)), for float32 and float64 on every SIMD target
// (bijection_test.cc), relative to arguments and constants as rounded to T. The rounding of an argument a x is not
// included, and for logit the bound holds for x in [0, 1]: beyond, p or q is a small difference.
// Total: outside its range an inverse gives NaN, at the ends the infinite limit. The bits of an element depend only on
// its value. Notation: s(x) = 1/(1 + e^-x).
#pragma once
#include <cstdint>

namespace libnf::kernel {

// name            y(x; a, b)                      log dy/dx
enum class Bijection : uint8_t {
  leaky_relu,        // x < 0 ? a x : x, a > 0           x < 0 ? log a : 0       (1/a in place of a inverts it)
  sigmoid,           // (s(a x) - b)/w                   log a - softplus(a x) - softplus(-a x) - log w
  logit,             // its inverse, p = b + w x, q = 1 - p = b + w (1 - x):
                     // (log p - log q)/a                log w - log p - log q - log a
  tanh,              //                                  2 (log 2 - |x| - log1p(e^(-2 |x|)))
  atanh,             //                                  -log1p(x) - log1p(-x)
  softplus,          // log(1 + e^x)                     -softplus(-x)
  inverse_softplus,  // x + L, L = log(1 - e^-x)   -L
  exp,               //                                  x
  log,               //                                  -log x
  cbrt,              // sign(x) |x|^(1/3)                -log 3 - 2/3 log |x|; at 0 that of the smallest number
  cube,              // x^3                              log 3 + 2 log |x|; at 0 minus that of cbrt
  softclip,          // x/(1 + |x|/a)                    -2 log1p(|x|/a)
  inverse_softclip,  // x/(1 - |x|/a)                    -2 log1p(-|x|/a)
};                   // a > 0, 0 <= b < 1/2, w = 1 - 2 b

// Computes y and log_dy of n elements.
template <class T>
void bijection(Bijection f, double a, double b, const T* x, T* y, T* log_dy, int64_t n);
// Adds gx += gy dy/dx + gl d(log dy/dx)/dx; gy or gl may be null.
template <class T>
void bijection_grad(Bijection f, double a, double b, const T* x, const T* y, const T* gy, const T* gl, T* gx,
                    int64_t n);

// Computes leaky_relu with a slope per element: y = x < 0 ? slope x : x, log_dy = x < 0 ? log_slope : 0.
template <class T>
void prelu(const T* slope, const T* log_slope, const T* x, T* y, T* log_dy, int64_t n);
// Adds gx += gy dy/dx, and gs += sign (gy y + gl) where x < 0, the gradient of log_slope; gy, gx or gs may be null.
template <class T>
void prelu_grad(const T* slope, T sign, const T* x, const T* y, const T* gy, T gl, T* gx, T* gs, int64_t n);

}  // namespace libnf::kernel
