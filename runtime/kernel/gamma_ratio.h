// Ratios of gamma functions.
//
// The normalizing constant of Student's t, without the cancellation of two log-gammas:
//   g(x) = log Gamma(x + 1/2) - log Gamma(x) - log(x)/2,   x > 0; -1/(8 x) for large x, log(pi x)/2 near 0.
// log and slope are accurate to 4e-16, absolutely or relatively (the larger bound counts), and curve to 1e-14, over
// 1e-300 ... 1e300 (gamma_ratio_test.cc). NaN and x <= 0 give NaN; infinity gives 0.
#pragma once

namespace libnf::kernel {

struct GammaRatio {
  double log;    // g(x)
  double slope;  // x g'(x)
  double curve;  // x (x g'(x))'
};
GammaRatio gamma_ratio(double x);

// The derivative of any order up to kMaxGammaRatioOrder of g(e^l) by l, at x = e^l: order 0 is log, 1 slope, 2 curve. Higher
// orders are accurate to about 1e-12 up to order 4, and to 1e-9 up to the last.
inline constexpr int kMaxGammaRatioOrder = 6;
double gamma_ratio_derivative(double x, int order);

// The rising factorial x (x + 1) ... (x + n - 1) by x^n, for counts n = 0, 1, ... and x > 0, without cancellation for
// large x:  h(x) = log Gamma(x + n) - log Gamma(x) - n log x = sum_k log(1 + k/x),  0 <= k < n.
struct RisingFactorial {
  double log;    // h(x), accurate to 1e-15 max(1, n, h)
  double slope;  // x h'(x), accurate to 1e-15 max(1, n)
};
RisingFactorial rising_factorial(double x, double n);

}  // namespace libnf::kernel
