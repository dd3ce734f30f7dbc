// The transformed part of a coupling layer.
#pragma once
#include <cstdint>

#include "runtime/kernel/scale_map.h"
#include "runtime/op/mapped.h"

namespace libnf {

using kernel::ScaleMap;

// z[:, index[j]] = x[:, index[j]] s_j + t_j with (t | raw) = h [n, 2 m] (shift columns first), other columns pass;
// log_det = sum_j log s_j. inverse: the map z -> x and minus the log_det.
// shift_first: z = (x + t) s instead, as in Glow.
Mapped affine_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, ScaleMap map, double cap, bool inverse,
                       bool shift_first = false);
// z[:, index[j]] = x[:, index[j]] + h_j, h [n, m]; no log_det.
Var additive_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, bool inverse);

}  // namespace libnf
