// Columns that a model cannot tell apart: neighboring numbers of its dtype are far apart where the column's values are, as
// for times and dates in float32 (near 1.6e9 they are 128 apart).
#pragma once
#include <string>

#include "src/model/density.h"

namespace libnf {

// Returns what is wrong with the first column of x [n, event], or of a context [n, columns], whose values lie so far from
// 0 that the numbers in which the model gets them are more than 2^-10 of the column's standard deviation apart, and what
// to do; "" if there is none. `name` is what messages call the rows. Looks at up to 4,096 rows, evenly spaced.
std::string coarse_column(const Density& model, const View& rows, bool is_context, const char* name);

}  // namespace libnf
