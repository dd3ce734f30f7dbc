// nf plot layers: draws one small scatter plot per layer, from the data to the latent space.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"
#include "src/cli/plot/states.h"

namespace cli {
namespace {
constexpr double kTop = 62, kGapX = 16, kGapY = 32, kRight = 20;
constexpr size_t kMost = 24;      // panels
constexpr double kSimilar = 1.5;  // panels whose ranges differ by less share one

// Chooses the first, the last and evenly spaced states between.
std::vector<size_t> chosen(size_t count) {
  std::vector<size_t> out;
  const size_t shown = std::min(count, kMost);
  for (size_t i = 0; i < shown; ++i) out.push_back(shown > 1 ? i * (count - 1) / (shown - 1) : 0);
  return out;
}

size_t columns_for(size_t count) {
  if (count <= 5) return count;
  size_t best = 5;
  for (size_t c = 4; c <= 6; ++c)  // choose the fullest last row
    if ((c - count % c) % c < (best - count % best) % best) best = c;
  return best;
}

// Returns how many are outside of the box.
int64_t points(Canvas& canvas, const Axes& axes, const State& state, const std::vector<Color>& colors) {
  const double area = axes.box().width() * axes.box().height();
  const double alpha = std::clamp(30 * std::sqrt(area / 40000 / static_cast<double>(colors.size())), 0.25, 0.9);
  int64_t outside = 0;
  canvas.clip(axes.box());
  for (size_t i = 0; i < colors.size(); ++i) {
    const Spot& s = state.points[i];
    canvas.disc(axes.spot(s.x, s.y), 1.4, colors[i], alpha);
    outside += !(axes.x().holds(s.x) && axes.y().holds(s.y));
  }
  canvas.unclip();
  return outside;
}
}  // namespace

int plot_layers(const PlotArgs& a) {
  check_picture(a.output, ".png");
  const Scene scene(a, a.model, a.data, Contexts::of_rows);
  scene.mention_contexts();
  const std::pair<int64_t, int64_t> pair = pair_of(scene, a.columns);
  const States states =
      states_of(scene, scene.has_data() ? scene.data() : scene.sample(a.points), nf::Direction::forward, pair);
  const std::vector<size_t> shown = chosen(states.list.size());
  const size_t columns = columns_for(shown.size()), rows = (shown.size() + columns - 1) / columns;
  const double side = a.size;

  std::vector<std::pair<Range, Range>> ranges;
  for (size_t k : shown) {
    Range x = range_x(states.list[k]), y = range_y(states.list[k]);
    fit_units({0, 0, 1, 1}, x, y);
    ranges.emplace_back(x, y);
  }
  Range x = ranges[0].first, y = ranges[0].second;
  double least_x = x.extent(), least_y = y.extent();
  for (const auto& [rx, ry] : ranges) {
    x = either(x, rx), y = either(y, ry);
    least_x = std::min(least_x, rx.extent()), least_y = std::min(least_y, ry.extent());
  }
  fit_units({0, 0, 1, 1}, x, y);
  if (x.extent() < kSimilar * least_x && y.extent() < kSimilar * least_y)
    std::fill(ranges.begin(), ranges.end(), std::pair{x, y});

  double left = 0;
  for (const auto& [rx, ry] : ranges) left = std::max(left, room_left(ry, side, false));
  const double gap = left + kGapX, line = side + room_below(false) + kGapY;
  const std::string heading =
      (scene.cols() == 2 ? "From data to latent space, layer by layer"
                         : "From data to latent space: " + scene.name(pair.first) + ", " + scene.name(pair.second)) +
      scene.at_context();
  // One panel is narrower than the heading; long column names are cut.
  constexpr double kWidest = 560;
  const Style bold{17, kInk, true};
  const double width =
      std::max(static_cast<double>(columns) * (side + gap) - gap, std::min(text_width(heading, bold), kWidest));
  Canvas canvas(static_cast<int>(left + width + kRight),
                static_cast<int>(kTop + static_cast<double>(rows) * line - kGapY));
  draw_text(canvas, {left, 26}, shortened(heading, bold, width), bold);
  int64_t most = 0;

  for (size_t n = 0; n < shown.size(); ++n) {
    const size_t k = shown[n];
    const double x0 = left + static_cast<double>(n % columns) * (side + gap);
    const double y0 = kTop + static_cast<double>(n / columns) * line;
    Axes axes(canvas, {x0, y0, x0 + side, y0 + side}, ranges[n].first, ranges[n].second);
    axes.grid();
    const int64_t outside = points(canvas, axes, states.list[k], states.colors);
    axes.frame();
    if (outside) axes.corner(grouped(outside) + " outside");
    most = std::max(most, outside);
    const bool first = k == 0, last = k + 1 == states.list.size();
    axes.title(first  ? (scene.has_data() ? "x: data" : "x: samples")
               : last ? "z: latent"
                      : std::to_string(k),
               first || last);
    if (!first) axes.note(states.list[k].name);
  }
  save(canvas, a.output);
  if (most)
    std::printf("outside the window  at most %s of %s in a panel\n", grouped(most).c_str(),
                counted(static_cast<int64_t>(states.colors.size()), "point").c_str());
  return kOk;
}

}  // namespace cli
