// Derivatives of the elementwise affine map, which affine and affine_low share. The inputs of n are x, log_scale and shift;
// it saves the factor exp(+-log_scale).
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

template <class T>
void affine_vjp(Tape& t, Node& n, const InputGrads& grads, bool inverse);
OutputTangents affine_tangent(Tape& t, Node& n, const InputTangents& d, bool inverse);

}  // namespace libnf
