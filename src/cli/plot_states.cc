// See plot_states.h.
#include "src/cli/plot_states.h"

#include <algorithm>
#include <cmath>

namespace nf::cli {
namespace {
// Mean squared distance of the points that are finite in both.
double moved(const std::vector<Spot>& a, const std::vector<Spot>& b) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = (a[i].x - b[i].x) * (a[i].x - b[i].x) + (a[i].y - b[i].y) * (a[i].y - b[i].y);
    if (std::isfinite(d)) sum += d, ++count;
  }
  return count > 0 ? sum / count : 0;
}

double spread(const std::vector<Spot>& a) { return moved(a, std::vector<Spot>(a.size(), Spot{0, 0})); }

std::vector<Spot> swapped(std::vector<Spot> points) {
  for (Spot& s : points) std::swap(s.x, s.y);
  return points;
}

template <double Spot::*kPart>
Range range_along(const State& state) {
  std::vector<double> values;
  for (const Spot& s : state.points) values.push_back(s.*kPart);
  return range_of(std::move(values));
}
}  // namespace

States states_of(const Scene& scene, const Matrix& from, bool inverse, std::pair<int64_t, int64_t> pair) {
  const std::vector<Matrix> trace = scene.trace(from, inverse);
  const auto steps = static_cast<int64_t>(trace.size()) - 1;
  States out;
  std::vector<Spot> last;
  bool turned = false;
  for (int64_t k = 0; k <= steps; ++k) {
    const Matrix& m = trace[static_cast<size_t>(k)];
    std::vector<Spot> now;
    for (int64_t r = 0; r < m.rows; ++r) now.push_back({m.at(r, pair.first), m.at(r, pair.second)});
    if (turned) now = swapped(std::move(now));
    if (k > 0 && scene.cols() == 2) {
      const std::vector<Spot> other = swapped(now);
      // A step that swaps exactly; a layer that happens to come out nearer the other way round does not turn the axes.
      if (moved(last, other) <= 1e-9 * spread(last) && moved(last, now) > 1e-9 * spread(last)) {
        now = other;
        turned = !turned;
      }
    }
    if (k == 0 || moved(last, now) > 1e-9 * spread(last))
      out.list.push_back({k ? scene.step_name(inverse ? steps - k : k - 1) : "", now});
    last = std::move(now);
  }
  const std::vector<Spot>& latent = inverse ? out.list.front().points : out.list.back().points;
  for (const Spot& s : latent) out.colours.push_back(wheel(s.x, s.y));
  return out;
}

Range range_x(const State& state) { return range_along<&Spot::x>(state); }
Range range_y(const State& state) { return range_along<&Spot::y>(state); }

}  // namespace nf::cli
