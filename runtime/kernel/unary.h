// Element-wise functions of one argument on contiguous spans, with first and second derivatives.
// Notation: y = f(x; a), where a is the one parameter of the family (slope, alpha, beta); spans have length n >= 0.
// The result for an element depends only on its value, never on position, span length or alignment.
// Total: NaN gives NaN, infinities and huge values give the mathematical limit. Domains: all reals, except where noted.
// Errors of f in units of the last place, the same for float32 and float64 and on every SIMD target (measured in
// unary_test.cc as the worst of 15,000 points each: normal, uniform to 800, log-uniform 1e-30..1e30, edges, denormals):
//   exact  neg abs sign relu hardtanh
//   0.5    square reciprocal sqrt leaky_relu prelu
//   1      exp log log1p cbrt
//   2      rsqrt expm1 sin cos sinh cosh atanh erf log_sigmoid softplus elu celu softsign
//   3      tanh atan sigmoid silu selu
//   4      mish      6  gelu
//   2 ulp(max(|f|, 1)): gelu_tanh, and softplus when a x is not exact (the rounding of the argument is amplified)
// silu, gelu and mish: in ulp(128 min) where |f| is below that. f' and f'' are within 6 ulp, which means
// 6 ulp(max(|f'|, 1)) for expm1 tanh sigmoid log_sigmoid softplus elu celu selu silu gelu gelu_tanh mish.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// name          f(x; a)                              derivative computed from   value at a kink
enum class Unary : uint8_t {
  neg,          // -x                                   x
  abs,          // |x|                                  x   f'(0) = 0
  sign,         // -1, 0, 1                             x   f' = 0 everywhere
  square,       // x^2                                  x
  reciprocal,   // 1/x                                  y
  sqrt,         // x >= 0, else NaN                     y
  rsqrt,        // x^(-1/2)                             y
  cbrt,         // real cube root                       y
  exp,          //                                      y
  expm1,        //                                      y
  log,          // -inf at 0, NaN below                 x
  log1p,        // -inf at -1, NaN below                x
  sin,          //                                      x
  cos,          //                                      x
  sinh,         //                                      x
  cosh,         //                                      x
  tanh,         //                                      y
  atan,         //                                      x
  atanh,        // |x| <= 1, else NaN                   x
  erf,          //                                      x
  sigmoid,      // 1/(1 + e^-x)                         y
  log_sigmoid,  // -log(1 + e^-x)                       y
  softplus,     // log(1 + e^(a x))/a, a > 0, exact     y   (no switch to x above a threshold)
  relu,         // max(x, 0)                            y   f'(0) = 0
  leaky_relu,   // x > 0 ? x : a x, a >= 0              y   f'(0) = a
  prelu,        // as leaky_relu, any a                 x   f'(0) = a
  elu,          // x > 0 ? x : a (e^x - 1), a >= 0      y   f'(0) = a
  celu,         // x > 0 ? x : a (e^(x/a) - 1), a > 0   y   f'(0) = 1
  selu,         // 1.0507009873554805 elu(x; 1.6732632423543772)   y   f'(0) = their product
  silu,         // x sigmoid(x)                         x
  gelu,         // x Phi(x), the erf form               x
  gelu_tanh,    // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))   x
  mish,         // x tanh(log(1 + e^x))                 x
  softsign,     // x/(1 + |x|)                          x   f''(0) = 0
  hardtanh,     // clamp to [-1, 1]                     y   f'(-1) = f'(1) = 0
};
inline constexpr int kUnaryCount = static_cast<int>(Unary::hardtanh) + 1;

const char* name_of(Unary f);
bool grad_from_output(Unary f);  // true: the derivative reads y only, x may be null; false: reads x only, y may be null

// Computes y = f(x; a). x == y is allowed.
template <class T>
void unary(Unary f, T a, const T* x, T* y, int64_t n);
// Adds gx += gy f'(x), or sets gx = gy f'(x) if gx has no content yet (fresh); gx may then be gy.
template <class T>
void unary_grad(Unary f, T a, const T* x, const T* y, const T* gy, T* gx, int64_t n, bool fresh = false);
// Computes d = f'(x); reads x or y like unary_grad. d must not overlap x or y.
template <class T>
void unary_deriv(Unary f, T a, const T* x, const T* y, T* d, int64_t n);
// Computes d = f''(x), always from x. x == d is allowed.
template <class T>
void unary_deriv2(Unary f, T a, const T* x, T* d, int64_t n);

}  // namespace libnf::kernel
