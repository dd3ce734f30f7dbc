// nf plot density: draws the density of a model of one or two columns next to the data.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"
#include "src/cli/plot/density_map.h"
#include "src/cli/plot/histogram.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kTop = 40, kGap = 30, kBar = 16, kBarGap = 14, kRight = 26;

// Prints the mass, because a narrow picture has no room for the note; notes on standard error if the window misses
// some.
void report_mass(double mass) {
  constexpr double kNearOne = 0.02, kNone = 0.02;
  std::printf("mass in the window  %.4f\n", mass);
  if (std::abs(mass - 1) <= kNearOne) return;
  std::fprintf(stderr, "nf: note: the window holds %.4f of the mass%s\n", mass,
               mass > 1       ? ": more than 1, so the density is too sharp for a grid of pixels"
               : mass < kNone ? ": the model is elsewhere, or narrower than a pixel"
                              : "");
}

// The accuracy of the sum over pixels is about 1e-3.
std::string mass_note(double mass) { return "mass in the window " + rounded(mass, 1e-3); }

void one_column(const PlotArgs& a, const Scene& scene) {
  const bool data = scene.has_data();
  const std::vector<double> values = (data ? scene.data() : scene.sample(a.points)).column(0);
  const Range x = range_of(values);
  const int width = a.size * 3 / 2, height = a.size * 9 / 10;
  const auto curve = [&] {
    Matrix grid{2 * width + 1, 1, {}};
    for (int64_t i = 0; i < grid.rows; ++i)
      grid.values.push_back(x.low + x.extent() * static_cast<double>(i) / static_cast<double>(grid.rows - 1));
    std::vector<double> density = scene.log_prob(grid);
    for (double& d : density) d = std::exp(d);
    return density;
  }();
  const auto at_step = [&](size_t i) {
    return x.low + x.extent() * static_cast<double>(i) / static_cast<double>(curve.size() - 1);
  };
  double top = 0, area = 0;
  for (double d : curve)
    if (std::isfinite(d)) top = std::max(top, d), area += d * x.extent() / static_cast<double>(curve.size() - 1);

  const Bins bins = bins_of(x, values.size());
  const std::vector<double> heights = histogram(values, bins);
  const int64_t outside = outside_of(values, x);
  top = std::max(top, *std::max_element(heights.begin(), heights.end()));

  const Range y{0, top > 0 ? 1.08 * top : 1};
  const double margin = room_left(y, height, true);
  Canvas canvas(static_cast<int>(margin + kRight) + width, static_cast<int>(kTop + room_below(true)) + height);
  Axes axes(canvas, {margin, kTop, margin + width, kTop + height}, {x, scene.name(0)}, {y, "density"});
  axes.grid();
  draw_filled(canvas, axes, bins, heights, kFaintBlue);
  std::vector<Spot> path;
  for (size_t i = 0; i < curve.size(); ++i) path.push_back(axes.spot(at_step(i), curve[i]));
  canvas.clip(axes.box());
  canvas.stroke(path, 2.5, kOrange);
  canvas.unclip();
  for (size_t i = 0; i < curve.size(); ++i)
    if (!std::isfinite(curve[i])) axes.mark_above(at_step(i), kOrange);
  axes.frame();
  axes.title("Density" + scene.at_context());
  axes.note(rows_note(static_cast<int64_t>(values.size()), data ? scene.data_rows() : a.points, outside) + "; " +
            mass_note(area));
  const Axes::Entry entries[] = {{!data                        ? "samples of the model"
                                  : scene.at_context().empty() ? "data"
                                                               : "data of all contexts",
                                  kFaintBlue, true},
                                 {"model", kOrange}};
  const size_t half = curve.size() / 2;
  double left = 0, right = 0;
  for (size_t i = 0; i < curve.size(); ++i) (i < half ? left : right) += std::min(curve[i], top);
  axes.legend(entries, left > right, false);
  save(canvas, a.output);
  report_outside({{data ? "data row" : "sample", outside, static_cast<int64_t>(values.size())}});
  report_mass(area);
}

void two_columns(const PlotArgs& a, const Scene& scene) {
  const bool data = scene.has_data();
  const Matrix points = data ? scene.data() : scene.sample(a.points);
  const double side = a.size;
  Range x = range_of(points.column(0)), y = range_of(points.column(1));
  fit_units({0, 0, side, side}, x, y);
  const DensityMap map = density_map(scene, x, y, a.size, a.log);
  const ColorBar bar = bar_of(map, a.log);
  const double room = room_left(y, side, true);
  const Box left{room, kTop, room + side, kTop + side};
  const Box right{left.x1 + kGap + room, kTop, left.x1 + kGap + room + side, kTop + side};
  const Box bar_box{right.x1 + kBarGap, right.y0, right.x1 + kBarGap + kBar, right.y1};
  Canvas canvas(static_cast<int>(bar_box.x1 + room_right(bar, side)), static_cast<int>(kTop + side + room_below(true)));

  Axes of_points(canvas, left, {x, scene.name(0)}, {y, scene.name(1)});
  of_points.grid();
  const int64_t outside = scatter(canvas, of_points, points, 0, 1, data ? kBlue : kOrange);
  of_points.frame();
  const std::string at = scene.at_context();
  of_points.title(!data ? "Samples of the model" + at : at.empty() ? "Data" : "Data of all contexts");
  of_points.note(rows_note(points.rows, data ? scene.data_rows() : points.rows, outside));

  Axes of_density(canvas, right, {x, scene.name(0)}, {y, scene.name(1)});
  draw(canvas, map, right);
  of_density.frame();
  of_density.title((a.log ? "Log density of the model" : "Density of the model") + at);
  of_density.note(mass_note(map.integral));
  color_bar(canvas, bar_box, bar);
  save(canvas, a.output);
  report_outside({{data ? "data row" : "sample", outside, points.rows}});
  report_mass(map.integral);
  note_undefined(map, "the model");
}
}  // namespace

int plot_density(const PlotArgs& a) {
  check_picture(a.output, ".png");
  const Scene scene(a, a.model, a.data);
  scene.mention_contexts();
  if (scene.cols() == 1) {
    one_column(a, scene);
  } else if (scene.cols() == 2) {
    two_columns(a, scene);
  } else {
    throw Failure(
        "a density can be drawn for one or two columns, but " + a.model + " has " + std::to_string(scene.cols()),
        "`nf plot samples` shows pairs of columns of any model");
  }
  return kOk;
}

}  // namespace cli
