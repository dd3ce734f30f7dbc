// Densities of counts 0, 1, 2, ... (runtime/op/counts.cc).
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// log p [n] of counts x [n, d] that follow negative binomial distributions with the means e^log_mean and dispersions
// e^log_count (the variance is mean + mean^2 / e^log_count); both [d], or [n, d] for each row's own. A number that is no
// count is read as 0: see row_support. Differentiable in the parameters, not in x.
Var negative_binomial_log_prob(Tape& t, Var x, Var log_mean, Var log_count);

}  // namespace libnf
