// The normalizing constant of Student's t, elementwise (runtime/op/gamma_ratio.cc).
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// y = log Gamma(x + 1/2) - log Gamma(x) - log(x)/2 at x = e^log_x, or its derivative of this order by log_x, below
// kMaxGammaRatioOrder. Any shape. Computed in float64.
Var log_gamma_ratio(Tape& t, Var log_x, int order = 0);

}  // namespace libnf
