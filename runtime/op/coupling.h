// The transformed part of a coupling layer.
#pragma once
#include <cstdint>

#include "runtime/op/mapped.h"

namespace nf {

enum class ScaleMap : uint8_t {
  bounded_exp,    // s = exp(cap tanh(raw / cap))
  exp,            // s = exp(raw)
  sigmoid,        // s = sigmoid(raw + 2) + 1e-3
  softplus,       // s = min(softplus(raw) + 1e-3, 3)
  soft_exp,       // s = exp(raw / (1 + |raw| / log(1000)))
  softplus_open,  // s = softplus(raw) + 1e-3
};
// z[:, index[j]] = x[:, index[j]] s_j + t_j with (t | raw) = h [n, 2 m] (shift columns first), other columns pass;
// log_det = sum_j log s_j. inverse: the map z -> x and minus the log_det.
Mapped affine_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, ScaleMap map, double cap, bool inverse);
// z[:, index[j]] = x[:, index[j]] + h_j, h [n, m]; no log_det.
Var additive_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, bool inverse);

}  // namespace nf
