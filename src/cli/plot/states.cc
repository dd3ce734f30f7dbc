// See states.h.
#include "src/cli/plot/states.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cli {
namespace {
// Returns the mean squared distance of the points that are finite in both.
double moved(const std::vector<Spot>& a, const std::vector<Spot>& b) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = (a[i].x - b[i].x) * (a[i].x - b[i].x) + (a[i].y - b[i].y) * (a[i].y - b[i].y);
    if (std::isfinite(d)) sum += d, ++count;
  }
  return count > 0 ? sum / count : 0;
}

double spread(const std::vector<Spot>& a) { return moved(a, std::vector<Spot>(a.size(), Spot{0, 0})); }

// Returns where the columns of `from` are in `to` if `to` only reorders them, bit for bit; otherwise empty.
std::vector<int64_t> reordered(const Matrix& from, const Matrix& to) {
  const auto same = [&](int64_t a, int64_t b) {
    for (int64_t r = 0; r < from.rows; ++r)
      if (std::bit_cast<uint64_t>(from.at(r, a)) != std::bit_cast<uint64_t>(to.at(r, b))) return false;
    return true;
  };
  std::vector<int64_t> places;
  std::vector<bool> taken(static_cast<size_t>(to.cols));
  for (int64_t c = 0; c < from.cols; ++c) {
    int64_t place = 0;
    while (place < to.cols && (taken[static_cast<size_t>(place)] || !same(c, place))) ++place;
    if (place == to.cols) return {};
    taken[static_cast<size_t>(place)] = true;
    places.push_back(place);
  }
  return places;
}

template <double Spot::*kPart>
Range range_along(const State& state) {
  std::vector<double> values;
  for (const Spot& s : state.points) values.push_back(s.*kPart);
  return range_of(std::move(values));
}
}  // namespace

States states_of(const Scene& scene, const Matrix& from, nf::Direction direction, std::pair<int64_t, int64_t> pair) {
  const bool inverse = direction == nf::Direction::inverse;
  const std::vector<Matrix> trace = scene.trace(from, direction);
  const size_t layers = trace.size() - 1;
  // The pair names columns of the data, so follow it from the data end of the trace.
  std::vector<std::vector<Spot>> points(trace.size());
  for (size_t n = 0; n <= layers; ++n) {
    const size_t k = inverse ? layers - n : n;
    const Matrix& m = trace[k];
    if (n > 0) {
      const std::vector<int64_t> places = reordered(trace[inverse ? k + 1 : k - 1], m);
      if (!places.empty()) pair = {places[static_cast<size_t>(pair.first)], places[static_cast<size_t>(pair.second)]};
    }
    for (int64_t r = 0; r < m.rows; ++r) points[k].push_back({m.at(r, pair.first), m.at(r, pair.second)});
  }
  States out;
  for (size_t k = 0; k <= layers; ++k) {
    if (k > 0 && moved(points[k - 1], points[k]) <= 1e-9 * spread(points[k - 1])) continue;
    const auto layer = static_cast<int64_t>(inverse ? layers - k : k - 1);
    out.list.push_back({k ? scene.layer_name(layer) : "", points[k]});
  }
  const std::vector<Spot>& latent = inverse ? out.list.front().points : out.list.back().points;
  for (const Spot& s : latent) out.colors.push_back(wheel(s.x, s.y));
  return out;
}

Range range_x(const State& state) { return range_along<&Spot::x>(state); }
Range range_y(const State& state) { return range_along<&Spot::y>(state); }

}  // namespace cli
