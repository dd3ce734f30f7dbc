// Values on a grid, and their cells: level i of `step` is the number i step.
#pragma once
#include <cstdint>

namespace nf::kernel {

// levels = 0: any integer i, whose cell is [i step, (i + 1) step). levels = k > 0: i in [0, k), whose cell is
// [i / k, (i + 1) / k).
struct Grid {
  double step = 1;
  int64_t levels = 0;
  double cell() const { return levels > 0 ? 1 / static_cast<double>(levels) : step; }
};

// y[j] = a point of the cell of x[j], at share u[j] of (0, 1) from its lower end; quantize() takes it back to the level.
// A value within a hundredth of a step of a level counts as that level. Returns the log-density that tells levels from
// other values: 0 when all are levels, -infinity when one is not, whose y is a point of the nearest level's cell (0 for
// an infinite value), and NaN when one is NaN, whose y is NaN. In double, rounded once; in float32 a level i keeps
// 24 - log2|i| bits of u, and from 2^23 on none.
template <class T>
double dequantize(const Grid& grid, const T* x, const T* u, T* y, int64_t n);

// x[j] = the level whose cell y[j] is in, or the nearest level when it is in none. NaN stays NaN.
template <class T>
void quantize(const Grid& grid, const T* y, T* x, int64_t n);

}  // namespace nf::kernel
