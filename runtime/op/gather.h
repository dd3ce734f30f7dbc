// Elements of the last axis by index.
#pragma once
#include <cstdint>

#include "runtime/tape/tape.h"

namespace libnf {

// Computes y[..., j] = x[..., index[..., j]], with `count` borrowed indices per row.
Var gather_last(Tape& t, Var x, const int32_t* index, int64_t count);

}  // namespace libnf
