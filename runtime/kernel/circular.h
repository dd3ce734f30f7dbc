// Shifts on a circle, one amount per column: y_j = x_j + shift_j, brought back into [low, low + period).
// One rounding of the sum and one of the way back; x_j more than half a period outside is brought inside first, by whole
// periods, as exactly as its digits allow. Total: an x_j or shift that is not finite gives NaN. An element's bits depend
// on its value and shift only.
#pragma once
#include <cstdint>

namespace nf::kernel {

// |shift| <= period/2; n columns of one row.
template <class T>
void circular_shift(T low, T period, const T* shift, const T* x, T* y, int64_t n);

}  // namespace nf::kernel
