// The log_prob of rows of density 0.
//
// Outside the domain of a layer (the logarithm of a negative number), or so far out that a number on the way from data to
// the base overflows, the density of a row is 0 and its log_prob -infinity. The arithmetic gives NaN there, for example
// infinity - infinity where a log-determinant and a base density both diverge, or +infinity where only one overflows. This is
// where both become -infinity, and the only place. They stay when they have, or may have, another cause:
//   - the row holds NaN,
//   - its context holds NaN or infinity, or a label that the base does not know,
//   - a parameter or a buffer of the model is NaN or infinite.
// Infinite rows have density 0. forward keeps its NaN and infinities.
#pragma once
#include "src/model/density.h"

namespace libnf {

// Settles log_prob [n] of rows [n, columns] of data, or of latents for a density of the base; context as in Density. Takes
// at most the scratch memory of Density::first_nonfinite for one row.
void settle_density_zero(const Scope& s, const Density& model, Var rows, Var context, Var log_prob);

}  // namespace libnf
