// The elementwise affine map (affine.h) of rows that carry what rounding to float32 took from them.
#pragma once
#include "runtime/op/mapped.h"

namespace libnf {

// As affine(), computed in double and rounded once where x has a Node::low or shift_low is not zero. shift_low [d] is what
// rounding took from the shift, which is the sum of both (nullptr: nothing); it has no gradient. With Tape::keeps_low, y has
// a Node::low. Where all low parts are zero, y has the bits of affine().
Mapped affine_low(Tape& t, Var x, Var log_scale, Var shift, Var shift_low, bool inverse);

}  // namespace libnf
