// Reference formulas of every element-wise function and its first and second derivatives, in long double (64-bit
// mantissa), and the error bounds stated in runtime/kernel/unary.h. Written for accuracy; shares no code with the
// kernels.
#pragma once
#include <cmath>
#include <vector>

#include "runtime/kernel/unary.h"

namespace libnf::test {

using Real = long double;
using Formula = Real (*)(Real x, Real a);

struct UnaryCase {
  kernel::Unary f;
  double a;
  double ulp32, ulp64;  // of f: bound on |error| / ulp(exact)
  double floor;         // errors of f are in ulp(max(|exact|, floor)); 0: true relative error
  double deriv_floor;   // likewise for f' and f'', whose bound is kDerivUlp
  Formula value, deriv, deriv2;
  bool damped = false;  // x times a factor that becomes denormal, see kDampedTiny
};
inline constexpr double kDerivUlp = 6;
// Errors of damped functions and of derivatives are in units of at least ulp(128 min), because x e^x has lost bits
// where e^x is denormal.
inline constexpr Real kDampedTiny = 128;

inline const Real kInf = HUGE_VALL;
inline const Real kNaN = std::nanl("");
inline const Real kPi = 3.14159265358979323846264338327950288L;

inline Real sigmoid(Real x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
inline Real softplus(Real x) { return std::fmax(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }
inline Real positive(Real x, Real yes, Real no) { return std::isnan(x) ? x : x > 0 ? yes : no; }
// Returns x f, where f vanishes faster than x grows.
inline Real damped(Real x, Real f) { return std::isinf(x) && f == 0 ? 0.0L : x * f; }
// Returns e^(-c x^2), corrected for the rounding error of x^2.
inline Real gauss(Real x, Real c) {
  const Real high = x * x;
  return std::isinf(high) ? 0.0L : std::exp(-c * high) * (1 - c * std::fma(x, x, -high));
}
inline Real cdf(Real x) {
  const Real r = 0.707106781186547524400844362104849039L,
             r_low = 1.89503255889325707966e-20L;  // r is the nearest long double
  const Real t = -x * r;
  if (std::isinf(t)) return x > 0 ? 1.0L : 0.0L;
  const Real residual = std::fma(-x, r, -t) - x * r_low;
  return 0.5L * (std::erfc(t) - residual * 2 / std::sqrt(kPi) * gauss(t, 1));
}
inline Real pdf(Real x) { return gauss(x, 0.5L) / std::sqrt(2 * kPi); }
inline Real gelu_u(Real x) { return std::sqrt(8 / kPi) * (x + 0.044715L * x * x * x); }
inline Real gelu_du(Real x) { return std::sqrt(8 / kPi) * (1 + 3 * 0.044715L * x * x); }
inline Real mish_t(Real x) { return std::tanh(softplus(x)); }
inline Real mish_dt(Real x) {  // (1 - tanh^2) sigmoid
  const Real c = 1 / std::cosh(softplus(x));
  return c * c * sigmoid(x);
}
inline const Real kSelu = 1.0507009873554805L, kSeluAlpha = 1.0507009873554805L * 1.6732632423543772L;

inline std::vector<UnaryCase> unary_cases() {
  using U = kernel::Unary;
  return {
#define F [](Real x, Real a) -> Real { (void)a; (void)x; return
#define E \
  ;       \
  }
      {U::neg, 0, 0, 0, 0, 0, F - x E, F - 1 E, F 0 E},
      {U::abs, 0, 0, 0, 0, 0, F std::fabs(x) E, F(x > 0) - (x < 0) E, F 0 E},
      {U::sign, 0, 0, 0, 0, 0, F(x > 0) - (x < 0) E, F 0 E, F 0 E},
      {U::square, 0, 1, 1, 0, 0, F x * x E, F 2 * x E, F 2 E},
      {U::reciprocal, 0, 1, 1, 0, 0, F 1 / x E, F - 1 / x / x E, F 2 / x / x / x E},
      {U::sqrt, 0, 1, 1, 0, 0, F std::sqrt(x) E, F 0.5L / std::sqrt(x) E, F - 0.25L / (x * std::sqrt(x)) E},
      {U::rsqrt, 0, 2, 2, 0, 0, F 1 / std::sqrt(x) E, F - 0.5L / (x * std::sqrt(x)) E,
       F 0.75L / (x * x * std::sqrt(x)) E},
      {U::cbrt, 0, 1, 1, 0, 0, F std::cbrt(x) E, F 1 / (3 * std::cbrt(x) * std::cbrt(x)) E,
       F - 2 / (9 * x * std::cbrt(x) * std::cbrt(x)) E},
      {U::exp, 0, 1, 1, 0, 0, F std::exp(x) E, F std::exp(x) E, F std::exp(x) E},
      {U::expm1, 0, 2, 2, 0, 1, F std::expm1(x) E, F std::exp(x) E, F std::exp(x) E},
      {U::log, 0, 1, 1, 0, 0, F std::log(x) E, F 1 / x E, F - 1 / x / x E},
      {U::log1p, 0, 1, 1, 0, 0, F std::log1p(x) E, F 1 / (1 + x) E, F - 1 / (1 + x) / (1 + x) E},
      {U::sin, 0, 2, 2, 0, 0, F std::sin(x) E, F std::cos(x) E, F - std::sin(x) E},
      {U::cos, 0, 2, 2, 0, 0, F std::cos(x) E, F - std::sin(x) E, F - std::cos(x) E},
      {U::sinh, 0, 2, 2, 0, 0, F std::sinh(x) E, F std::cosh(x) E, F std::sinh(x) E},
      {U::cosh, 0, 2, 2, 0, 0, F std::cosh(x) E, F std::sinh(x) E, F std::cosh(x) E},
      {U::tanh, 0, 3, 3, 0, 1, F std::tanh(x) E, F 1 / (std::cosh(x) * std::cosh(x)) E,
       F - 2 * std::tanh(x) / (std::cosh(x) * std::cosh(x)) E},
      {U::atan, 0, 3, 3, 0, 0, F std::atan(x) E, F 1 / (1 + x * x) E,
       F damped(-2 * x, 1 / (1 + x * x)) / (1 + x * x) E},
      {U::atanh, 0, 2, 2, 0, 0, F std::atanh(x) E, F 1 / ((1 - x) * (1 + x)) E,
       F 2 * x / ((1 - x) * (1 + x)) / ((1 - x) * (1 + x)) E},
      {U::erf, 0, 2, 2, 0, 0, F std::erf(x) E, F 2 / std::sqrt(kPi) * gauss(x, 1) E,
       F damped(x, -4 / std::sqrt(kPi) * gauss(x, 1)) E},
      {U::sigmoid, 0, 3, 3, 0, 1, F sigmoid(x) E, F sigmoid(x) * sigmoid(-x) E,
       F sigmoid(x) * sigmoid(-x) * (sigmoid(-x) - sigmoid(x)) E},
      {U::log_sigmoid, 0, 2, 2, 0, 1, F std::isinf(x) && x < 0 ? x : -softplus(-x) E, F sigmoid(-x) E,
       F - sigmoid(x) * sigmoid(-x) E},
      {U::softplus, 1, 2, 2, 0, 1, F softplus(x) E, F sigmoid(x) E, F sigmoid(x) * sigmoid(-x) E},
      {U::softplus, 1.75, 2, 2, 1, 1, F softplus(a * x) / a E, F sigmoid(a * x) E,
       F a * sigmoid(a * x) * sigmoid(-a * x) E},
      {U::relu, 0, 0, 0, 0, 0, F std::isnan(x) ? x : std::fmax(x, 0.0L) E, F x > 0 E, F 0 E},
      {U::leaky_relu, 0.25, 1, 1, 0, 0, F positive(x, x, a * x) E, F x > 0 ? 1 : a E, F 0 E},
      {U::prelu, -0.75, 1, 1, 0, 0, F positive(x, x, a * x) E, F x > 0 ? 1 : a E, F 0 E},
      {U::elu, 1.25, 2, 2, 0, 1, F positive(x, x, a * std::expm1(x)) E, F positive(x, 1, a * std::exp(x)) E,
       F positive(x, 0, a * std::exp(x)) E},
      {U::celu, 1.25, 2, 2, 0, 1, F positive(x, x, a * std::expm1(x / a)) E, F positive(x, 1, std::exp(x / a)) E,
       F positive(x, 0, std::exp(x / a) / a) E},
      {U::selu, 0, 3, 3, 0, 1, F positive(x, kSelu * x, kSeluAlpha * std::expm1(x)) E,
       F positive(x, kSelu, kSeluAlpha * std::exp(x)) E, F positive(x, 0, kSeluAlpha * std::exp(x)) E},
      {U::silu, 0, 3, 3, 0, 1, F damped(x, sigmoid(x)) E, F sigmoid(x) + damped(x, sigmoid(x) * sigmoid(-x)) E,
       F sigmoid(x) * sigmoid(-x) * 2 + damped(x, sigmoid(x) * sigmoid(-x)) * (sigmoid(-x) - sigmoid(x)) E, true},
      {U::gelu, 0, 6, 6, 0, 1, F damped(x, cdf(x)) E, F cdf(x) + damped(x, pdf(x)) E,
       F 2 * pdf(x) - damped(x, damped(x, pdf(x))) E, true},
      {U::gelu_tanh, 0, 2, 2, 1, 1, F damped(x, sigmoid(gelu_u(x))) E,
       F std::fabs(x) > 40 ? (x > 0 ? 1.0L : 0.0L)
                           : sigmoid(gelu_u(x)) + x * sigmoid(gelu_u(x)) * sigmoid(-gelu_u(x)) * gelu_du(x) E,
       F std::fabs(x) > 40
           ? 0.0L
           : sigmoid(gelu_u(x)) * sigmoid(-gelu_u(x)) *
                 (2 * gelu_du(x) + x * ((sigmoid(-gelu_u(x)) - sigmoid(gelu_u(x))) * gelu_du(x) * gelu_du(x) +
                                        std::sqrt(8 / kPi) * 6 * 0.044715L * x)) E},
      {U::mish, 0, 4, 4, 0, 1, F damped(x, mish_t(x)) E, F mish_t(x) + damped(x, mish_dt(x)) E,
       F mish_dt(x) * 2 + damped(x, mish_dt(x)) * (sigmoid(-x) - 2 * mish_t(x) * sigmoid(x)) E, true},
      {U::softsign, 0, 2, 2, 0, 0, F std::isinf(x) ? std::copysign(1.0L, x) : x / (1 + std::fabs(x)) E,
       F 1 / (1 + std::fabs(x)) / (1 + std::fabs(x)) E,
       F - 2.0L * ((x > 0) - (x < 0)) / (1 + std::fabs(x)) / (1 + std::fabs(x)) / (1 + std::fabs(x)) E},
      {U::hardtanh, 0, 0, 0, 0, 0, F std::isnan(x) ? x : std::fmin(std::fmax(x, -1.0L), 1.0L) E, F std::fabs(x) < 1 E,
       F 0 E},
#undef F
#undef E
  };
}

}  // namespace libnf::test
