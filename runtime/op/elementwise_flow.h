// Elementwise maps of x [n, d] with their log-determinants.
#pragma once
#include "runtime/kernel/bijection.h"
#include "runtime/op/mapped.h"

namespace libnf {

using kernel::Bijection;

// y_j = f(x_j; a, b) for x [n, d]; log_det = sum_j log f'(x_j).
Mapped bijection(Tape& t, Bijection f, Var x, double a = 1, double b = 0);
// y_j = x_j exp(l_j) where x_j < 0, else x_j, log_slope l [d]. inverse: with -l.
Mapped prelu(Tape& t, Var x, Var log_slope, bool inverse);

}  // namespace libnf
