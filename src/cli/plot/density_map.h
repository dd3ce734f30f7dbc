// Evaluates a density over a window of the plane, one value per pixel.
#pragma once
#include <functional>
#include <vector>

#include "src/cli/plot/plot.h"

namespace cli {

struct DensityMap {
  int side = 0;
  std::vector<double> values;         // densities, or log-densities; row by row from the top
  Range range;                        // of the color map; excludes the brightest 0.1 % of the pixels
  double integral = 0;                // over the window, by the midpoint rule
  bool above = false, below = false;  // values outside of the range were drawn in its first or last color
  int64_t undefined = 0;              // pixels where the density is NaN, drawn in gray
};

using LogDensity = std::function<std::vector<double>(const Matrix& rows)>;
DensityMap density_map(const LogDensity& log_density, const Range& x, const Range& y, int side, bool log);
DensityMap density_map(const Scene& scene, const Range& x, const Range& y, int side, bool log);
void draw(Canvas& canvas, const DensityMap& map, const Box& box);
ColorBar bar_of(const DensityMap& map, bool log);
// Notes on standard error if the density of `whose` is NaN somewhere.
void note_undefined(const DensityMap& map, const std::string& whose);

}  // namespace cli
