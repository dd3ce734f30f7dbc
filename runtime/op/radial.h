// Radial flow of rows, parameters shared or one set for every row; see radial.cc.
#pragma once
#include "runtime/op/mapped.h"

namespace libnf {

// x [n, d]; p [d + 2] or [n, d + 2] holds (x0 | raw alpha | raw beta).
Mapped radial(Tape& t, Var x, Var p, bool inverse);

}  // namespace libnf
