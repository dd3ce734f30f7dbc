// Shifts on a circle, with one amount per column: y_j = x_j + shift_j, wrapped into [low, low + period).
// Error: one rounding of the sum and one of the wrap. An x_j more than half a period outside is first moved inside by
// whole periods, as exactly as its digits allow. Total: an x_j or shift that is not finite gives NaN. The bits of an
// element depend only on its value and shift.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// |shift| <= period/2; n is the number of columns of one row.
template <class T>
void circular_shift(T low, T period, const T* shift, const T* x, T* y, int64_t n);

}  // namespace libnf::kernel
