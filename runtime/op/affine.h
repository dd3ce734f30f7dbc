// Elementwise affine map with parameters shared by rows.
#pragma once
#include "runtime/op/mapped.h"

namespace libnf {

// z = (x - center) exp(log_scale) + shift, log_det = sum(log_scale);
// inverse: x = (z - shift) exp(-log_scale) + center, log_det = -sum. x [n, d]; log_scale, shift, center [d]. The center is a
// constant (no gradient flows into it); nullptr: 0.
Mapped affine(Tape& t, Var x, Var log_scale, Var shift, bool inverse, Var center = nullptr);

}  // namespace libnf
