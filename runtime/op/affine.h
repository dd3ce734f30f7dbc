// Elementwise affine map with parameters shared by rows.
#pragma once
#include "runtime/op/mapped.h"

namespace libnf {

// z = x exp(log_scale) + shift, log_det = sum(log_scale);
// inverse: x = (z - shift) exp(-log_scale), log_det = -sum. x [n, d]; log_scale, shift [d].
Mapped affine(Tape& t, Var x, Var log_scale, Var shift, bool inverse);

}  // namespace libnf
