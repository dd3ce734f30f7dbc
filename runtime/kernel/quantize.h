// Values on a grid, and their cells: level i of `step` is the number i step.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// levels = 0: level i is any integer, with the cell [i step, (i + 1) step). levels = k > 0: i in [0, k), with the cell
// [i / k, (i + 1) / k). merge = m > 1, for k a multiple of m: levels i, ..., i + m - 1, i a multiple of m, are one with
// the cell [i / k, (i + m) / k), and its level is i.
struct Grid {
  double step = 1;
  int64_t levels = 0;
  int64_t merge = 1;
  double cell() const { return levels > 0 ? static_cast<double>(merge) / static_cast<double>(levels) : step; }
};

// Sets y[j] to the point of the cell of x[j] at the fraction u[j] in (0, 1) from its lower end; quantize() maps it back
// to the level. A value within 0.01 step of a level counts as that level. Returns a log-density: 0 if all values are
// levels, -infinity if one is not (its y is a point of the nearest level's cell, 0 for an infinite value), NaN if one
// is NaN (its y is NaN). Computed in double and rounded once; in float32 a level i keeps 24 - log2|i| bits of u, and
// none from 2^23 on. From and T are
// float or double; From is not narrower than T.
template <class From, class T>
double dequantize(const Grid& grid, const From* x, const T* u, T* y, int64_t n);

// Sets x[j] to the level whose cell contains y[j], or the nearest level if none does. NaN stays NaN.
template <class From, class T>
void quantize(const Grid& grid, const From* y, T* x, int64_t n);

}  // namespace libnf::kernel
