// Log-densities of rows and samples of families with a location and a scale (runtime/op/location_scale.cc). Parameters
// are shared by all rows, [d], or each row's own, [n, d].
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

Var logistic_log_prob(Tape& t, Var z, Var loc, Var log_scale);
Var laplace_log_prob(Tape& t, Var z, Var loc, Var log_scale);
Var student_log_prob(Tape& t, Var z, Var loc, Var log_scale, Var log_dof);
double student_dof(double log_dof);  // exp(log_dof) within [1e-15, 1e15]
// [rows, event] draws of Student's t of the tape's key, differentiable in log_dof.
Var student_draws(Tape& t, int64_t rows, int64_t event, Var log_dof);
// loc + exp(log_scale) u
Var located(Tape& t, Var u, Var loc, Var log_scale);

}  // namespace libnf
