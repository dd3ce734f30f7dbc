// See histogram.h.
#include "src/cli/plot/histogram.h"

#include <algorithm>
#include <cmath>

namespace cli {

Bins bins_of(const Range& range, size_t rows) {
  const double most = std::clamp(std::cbrt(static_cast<double>(rows)) * 4, 10.0, 80.0);
  if (range.grain > 0 && range.extent() / range.grain < 1e6) {
    const double width = range.grain * std::max(1.0, std::ceil(range.extent() / range.grain / most));
    const double low = std::floor(range.low / range.grain) * range.grain - range.grain / 2;
    return {low, width, static_cast<size_t>(std::ceil((range.high - low) / width))};
  }
  const auto count = static_cast<size_t>(most);
  return {range.low, range.extent() / static_cast<double>(count), count};
}

std::vector<double> histogram(std::span<const double> values, const Bins& bins) {
  std::vector<double> heights(bins.count, 0);
  const double share = values.empty() ? 0 : 1 / bins.width / static_cast<double>(values.size());
  for (const double v : values) {
    const double at = std::floor((v - bins.low) / bins.width);
    if (at >= 0 && at < static_cast<double>(bins.count)) heights[static_cast<size_t>(at)] += share;
  }
  return heights;
}

void draw_filled(Canvas& canvas, const Axes& axes, const Bins& bins, const std::vector<double>& heights, Color color) {
  canvas.clip(axes.box());
  for (size_t i = 0; i < bins.count; ++i) {
    const Spot from = axes.spot(bins.edge(i), heights[i]), to = axes.spot(bins.edge(i + 1), 0);
    // A line of background between wide bars.
    canvas.fill({from.x, from.y, to.x - (to.x - from.x > 4 ? 1 : 0), to.y}, color);
  }
  canvas.unclip();
}

void draw_outline(Canvas& canvas, const Axes& axes, const Bins& bins, const std::vector<double>& heights, Color color) {
  std::vector<Spot> path{axes.spot(bins.edge(0), 0)};
  for (size_t i = 0; i < bins.count; ++i) {
    path.push_back(axes.spot(bins.edge(i), heights[i]));
    path.push_back(axes.spot(bins.edge(i + 1), heights[i]));
  }
  path.push_back(axes.spot(bins.edge(bins.count), 0));
  canvas.clip(axes.box());
  canvas.stroke(path, 2, color);
  canvas.unclip();
}

int64_t outside_of(std::span<const double> values, const Range& range) {
  return std::count_if(values.begin(), values.end(), [&](double v) { return !range.holds(v); });
}

}  // namespace cli
