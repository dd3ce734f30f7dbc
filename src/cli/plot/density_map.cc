// See density_map.h.
#include "src/cli/plot/density_map.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr double kSaturated = 0.001;
constexpr double kLogDepth = 12;  // nats below the top of a log-density: a factor of 160,000
}  // namespace

DensityMap density_map(const Scene& scene, const Range& x, const Range& y, int side, bool log) {
  return density_map([&](const Matrix& rows) { return scene.log_prob(rows); }, x, y, side, log);
}

DensityMap density_map(const LogDensity& log_density, const Range& x, const Range& y, int side, bool log) {
  const auto n = static_cast<int64_t>(side);
  Matrix grid{n * n, 2, {}};
  grid.values.reserve(static_cast<size_t>(2 * n * n));
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < n; ++column) {
      grid.values.push_back(x.low + x.extent() * (static_cast<double>(column) + 0.5) / side);
      grid.values.push_back(y.high - y.extent() * (static_cast<double>(row) + 0.5) / side);
    }
  DensityMap map{side, log_density(grid), {}, 0};
  const double cell = x.extent() / side * y.extent() / side;
  std::vector<double> sorted;
  for (double& v : map.values) {
    const double density = std::exp(v);
    if (std::isfinite(density)) map.integral += density * cell;
    if (!log) v = density;
    if (std::isfinite(v)) sorted.push_back(v);
  }
  if (sorted.empty()) {
    map.undefined = std::count_if(map.values.begin(), map.values.end(), [](double v) { return std::isnan(v); });
    return map;
  }
  const auto at = static_cast<std::ptrdiff_t>(static_cast<double>(sorted.size() - 1) * (1 - kSaturated));
  std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
  const double top = sorted[static_cast<size_t>(at)];
  map.range = log ? Range{top - kLogDepth, top} : Range{0, top > 0 ? top : 1};
  for (const double v : map.values) {
    map.above |= v > map.range.high;
    map.below |= v < map.range.low;
    map.undefined += std::isnan(v);
  }
  return map;
}

void draw(Canvas& canvas, const DensityMap& map, const Box& box) {
  std::vector<Color> colors;
  colors.reserve(map.values.size());
  for (const double v : map.values)
    colors.push_back(std::isnan(v) ? kPale : sequential((v - map.range.low) / map.range.extent()));
  canvas.pixels({box.x0, box.y0}, map.side, colors);
}

ColorBar bar_of(const DensityMap& map, bool log) {
  return {map.range, log ? "log density (nats)" : "density", map.above, map.below};
}

void note_undefined(const DensityMap& map, const std::string& whose) {
  if (map.undefined)
    std::fprintf(stderr, "nf: note: the density of %s is NaN at %s, drawn in gray\n", whose.c_str(),
                 counted(map.undefined, "pixel").c_str());
}

}  // namespace cli
