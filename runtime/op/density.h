// Log-densities of rows, [n].
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var normal_log_prob(Tape& t, Var z);                          // standard normal
Var normal_log_prob(Tape& t, Var z, Var loc, Var log_scale);  // diagonal; loc, log_scale [d] or [n, d]

}  // namespace libnf
