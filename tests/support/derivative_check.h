// Checks of a session's derivatives that hold for every model: against differences, adjoint to each other, and the same
// bits however rows are cut.
#pragma once
#include "tests/support/session_case.h"

namespace libnf::test {

// What is checked by differences and by adjointness. Inputs of the forward direction, and of the inverse one.
struct DerivativeCase {
  FlowCase<double>& f;
  Rows2 x, z;
  bool context = true;  // false: it holds labels, which nothing is differentiated by
};

// nf_log_prob_grad and vjp in both directions agree with five-point differences along random directions, row by row, to
// 1e-6 of the difference, or of 1.
testing::AssertionResult slopes_agree(DerivativeCase c, uint64_t seed);
// <cot, J t> = <J' cot, t> to 1e-12 of the sum of the sizes of the terms, row by row, in both directions.
testing::AssertionResult adjoint(DerivativeCase c, uint64_t seed);
// Derivatives of all rows at once, of every row alone, and on several threads have the same bits; so have those that are
// asked for one by one; values are those of log_prob and map.
template <class T>
testing::AssertionResult rows_independent(FlowModel& model, const Rows2& x, const Rows2& z, uint64_t seed);

}  // namespace libnf::test
