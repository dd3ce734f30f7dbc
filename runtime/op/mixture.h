// Mixtures of K diagonal normals (runtime/op/mixture.cc). logits [K], loc and log_scale [K, d] are shared by all rows,
// or given per row as [n, K] and [n, K d].
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var mixture_log_prob(Tape& t, Var z, Var logits, Var loc, Var log_scale);  // [n]
// Draws samples [rows, event] with the tape's key, differentiable in all parameters.
Var mixture_sample(Tape& t, int64_t rows, int64_t event, Var logits, Var loc, Var log_scale);

}  // namespace libnf
