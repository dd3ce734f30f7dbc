// Rows in float32 with what rounding took from them: a number is high + low, the sum of two floats, which has about 48
// bits. Everything is computed in double and rounded once: the same bits on every SIMD target. Where low is zero, results
// have the bits of the loops in float32.
#pragma once
#include <cstdint>

#include "runtime/core/rows.h"

namespace libnf::kernel {

// high = x rounded, low = x - high rounded; low is 0 where high is not finite.
void split_low(const double* x, float* high, float* low, int64_t n);
// x = high + low.
void join_low(const float* high, const float* low, double* x, int64_t n);

// Numbers with their low parts; low.p = nullptr stands for zeros. high.p = nullptr: all is 0.
struct HighLow {
  Rows<const float> high, low;
};

// Computes ((x - before) factor + after), with one row of before, factor and after for all rows, and rounds it to y,
// except where no low part differs from zero: there y stays as it is, as the loops in float32 left it. y_low (nullptr: not asked for), with the layout of y, becomes what rounding took.
void affine_low(const HighLow& x, const HighLow& before, const double* factor, const HighLow& after, Rows<float> y,
                float* y_low);

}  // namespace libnf::kernel
