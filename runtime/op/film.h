// Feature-wise linear modulation (Perez et al. 2018, FiLM, eq. 2): y = h (1 + scale) + shift, elementwise, one shape.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var film(Tape& t, Var h, Var scale, Var shift);

}  // namespace libnf
