#include "runtime/kernel/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace libnf::kernel {
namespace {

constexpr double kTolerance = 1e-2;  // fraction of a step; larger than the float32 rounding of a level such as 7/255

double clamped(int64_t levels, double level) {
  if (levels == 0) return level;
  return level < 0 ? 0 : std::min(level, static_cast<double>(levels - 1));  // std::min keeps a NaN level
}

int64_t cells_of(const Grid& grid) { return grid.levels / grid.merge; }

double cell_of(const Grid& grid, double y) {
  return std::floor(grid.levels > 0 ? y * static_cast<double>(cells_of(grid)) : y / grid.step);
}

double point(const Grid& grid, double at) {
  return grid.levels > 0 ? at / static_cast<double>(cells_of(grid)) : at * grid.step;
}

}  // namespace

template <class From, class T>
double dequantize(const Grid& grid, const From* x, const T* u, T* y, int64_t n) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double log_density = 0;
  for (int64_t j = 0; j < n; ++j) {
    const double at = static_cast<double>(x[j]) / grid.step;
    double level = clamped(grid.levels, std::round(at));
    if (at != at)
      log_density = at;
    else if (!(std::abs(at - level) <= kTolerance))
      log_density -= kInfinity;  // a NaN stays NaN
    if (std::isinf(level)) level = 0;
    if (grid.merge > 1) level = std::floor(level / static_cast<double>(grid.merge));
    // If rounding leaves the cell, takes its middle, or the level itself where float32 has no fractions.
    y[j] = static_cast<T>(point(grid, level + static_cast<double>(u[j])));
    if (cell_of(grid, static_cast<double>(y[j])) == level) continue;
    y[j] = static_cast<T>(point(grid, level + 0.5));
    if (cell_of(grid, static_cast<double>(y[j])) != level) y[j] = static_cast<T>(point(grid, level));
  }
  return log_density;
}

template <class From, class T>
void quantize(const Grid& grid, const From* y, T* x, int64_t n) {
  const double step = static_cast<double>(grid.merge) * grid.step;
  for (int64_t j = 0; j < n; ++j)
    x[j] = static_cast<T>(clamped(cells_of(grid), cell_of(grid, static_cast<double>(y[j]))) * step);
}

template double dequantize(const Grid&, const float*, const float*, float*, int64_t);
template double dequantize(const Grid&, const double*, const float*, float*, int64_t);
template double dequantize(const Grid&, const double*, const double*, double*, int64_t);
template void quantize(const Grid&, const float*, float*, int64_t);
template void quantize(const Grid&, const double*, float*, int64_t);
template void quantize(const Grid&, const double*, double*, int64_t);

}  // namespace libnf::kernel
