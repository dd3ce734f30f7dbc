// Elements of the last axis by index.
#pragma once
#include <cstdint>

#include "runtime/tape/tape.h"

namespace nf {

// y[..., j] = x[..., index[..., j]], `count` borrowed indices for every row
Var gather_last(Tape& t, Var x, const int32_t* index, int64_t count);

}  // namespace nf
