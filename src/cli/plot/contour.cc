// See contour.h.
#include "src/cli/plot/contour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace cli {
namespace {
// Three passes of (1, 2, 1) / 4 along each axis: nearly a Gaussian of 1.2 cells. Keeps the total but for what crosses
// the edge.
void smooth(std::vector<double>& grid, size_t side) {
  constexpr int kPasses = 3;
  std::vector<double> line(side);
  for (int pass = 0; pass < 2 * kPasses; ++pass)
    for (size_t i = 0; i < side; ++i) {
      const size_t first = pass % 2 ? i : i * side, step = pass % 2 ? side : 1;
      for (size_t k = 0; k < side; ++k) line[k] = grid[first + k * step];
      for (size_t k = 0; k < side; ++k)
        grid[first + k * step] = (2 * line[k] + (k ? line[k - 1] : 0) + (k + 1 < side ? line[k + 1] : 0)) / 4;
    }
}

// The slope of the line of least squares through the points that count; 0 where all have one x.
template <class F>
double slope_of(std::span<const double> x, std::span<const double> y, const F& counts) {
  double n = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (counts(i)) ++n, mean_x += x[i], mean_y += y[i];
  mean_x /= std::max(n, 1.0), mean_y /= std::max(n, 1.0);
  for (size_t i = 0; i < x.size(); ++i)
    if (counts(i)) xx += (x[i] - mean_x) * (x[i] - mean_x), xy += (x[i] - mean_x) * (y[i] - mean_y);
  return xx > 0 ? xy / xx : 0;
}
}  // namespace

Cloud cloud_of(std::span<const double> x, std::span<const double> y, const Range& range_x, const Range& range_y) {
  // Cells get smaller as points get more numerous, but never smaller than the smoothing can fill.
  const auto side = static_cast<size_t>(std::clamp(std::pow(static_cast<double>(x.size()), 0.4), 12.0, 64.0));
  const auto inside = [&](size_t i) { return range_x.holds(x[i]) && range_y.holds(y[i]); };
  Cloud c{side, range_x, {}, slope_of(x, y, inside), std::vector<double>(side * side), static_cast<double>(x.size())};
  const auto rest = [&](size_t i) { return y[i] - c.slope * x[i]; };
  c.rest = {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (size_t i = 0; i < x.size(); ++i)
    if (inside(i)) c.rest = {std::min(c.rest.low, rest(i)), std::max(c.rest.high, rest(i))};
  const double room = 0.05 * (c.rest.high - c.rest.low);
  if (!(room > 0)) return c;
  c.rest = {c.rest.low - room, c.rest.high + room};
  const auto cell = [&](double v, const Range& r) {
    return std::min(static_cast<size_t>((v - r.low) / r.extent() * static_cast<double>(side)), side - 1);
  };
  for (size_t i = 0; i < x.size(); ++i)
    if (inside(i)) ++c.density[cell(rest(i), c.rest) * side + cell(x[i], range_x)];
  smooth(c.density, side);
  return c;
}

double level_of(const Cloud& cloud, double share) {
  std::vector<double> sorted = cloud.density;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0;
  for (const double d : sorted) {
    sum += d;
    if (sum >= share * cloud.total) return d;
  }
  return 0;
}

std::vector<Segment> contour(const Cloud& c, double level) {
  if (!(level > 0)) return {};
  // A border of empty cells closes lines at the edge of the window.
  const auto at = [&](int64_t row, int64_t column) {
    const auto n = static_cast<int64_t>(c.side);
    return row < 0 || column < 0 || row >= n || column >= n ? 0.0 : c.density[static_cast<size_t>(row * n + column)];
  };
  const auto spot = [&](double row, double column) {
    const auto n = static_cast<double>(c.side);
    const double x = c.x.low + (column + 0.5) / n * c.x.extent();
    return Spot{x, c.slope * x + c.rest.low + (row + 0.5) / n * c.rest.extent()};
  };
  std::vector<Segment> out;
  const auto last = static_cast<int64_t>(c.side);
  for (int64_t row = -1; row < last; ++row)
    for (int64_t column = -1; column < last; ++column) {
      // Corners around the square, then the points where its edges cross the level.
      constexpr std::array<int64_t, 5> kRow = {0, 0, 1, 1, 0}, kColumn = {0, 1, 1, 0, 0};
      std::vector<Spot> crossings;
      for (size_t e = 0; e < 4; ++e) {
        const double a = at(row + kRow[e], column + kColumn[e]), b = at(row + kRow[e + 1], column + kColumn[e + 1]);
        if ((a >= level) == (b >= level)) continue;
        const double t = (level - a) / (b - a);
        crossings.push_back(
            spot(static_cast<double>(row + kRow[e]) + t * static_cast<double>(kRow[e + 1] - kRow[e]),
                 static_cast<double>(column + kColumn[e]) + t * static_cast<double>(kColumn[e + 1] - kColumn[e])));
      }
      for (size_t i = 0; i + 1 < crossings.size(); i += 2) out.push_back({crossings[i], crossings[i + 1]});
    }
  return out;
}

}  // namespace cli
