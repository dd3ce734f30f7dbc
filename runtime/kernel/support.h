// Which rows hold only numbers that a distribution can produce.
#pragma once
#include <cstdint>

#include "runtime/core/rows.h"

namespace libnf::kernel {

// Numbers in [low, high], and if step is above 0 only low + i step; a value within 0.01 step of such a number counts.
struct Support {
  double low, high, step = 0;
};

// out[r] = 0 if all numbers of row r are in the support, -infinity if one is not, NaN if one is NaN.
template <class T>
void row_support(const Support& s, const Rows<const T>& x, T* out);

}  // namespace libnf::kernel
