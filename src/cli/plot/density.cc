// nf plot density: draws the density of a model of one or two columns next to the data.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"
#include "src/cli/plot/density_map.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kLeft = 78, kTop = 44, kBottom = 62, kGap = 84, kBar = 18, kRight = 78;

std::string mass_note(double mass) { return text("mass in the window %.4f", mass); }

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
  double top = 0, area = 0;
  for (double d : curve)
    if (std::isfinite(d)) top = std::max(top, d), area += d * x.extent() / static_cast<double>(curve.size() - 1);

  const auto bins = static_cast<size_t>(std::clamp(std::cbrt(static_cast<double>(values.size())) * 4, 10.0, 80.0));
  std::vector<double> histogram(bins, 0);
  const double share = static_cast<double>(bins) / x.extent() / static_cast<double>(values.size());
  for (double v : values)
    if (v >= x.low && v < x.high)
      histogram[static_cast<size_t>((v - x.low) / x.extent() * static_cast<double>(bins))] += share;
  top = std::max(top, *std::max_element(histogram.begin(), histogram.end()));

  const Range y{0, 1.08 * top};
  const double margin = std::max(kLeft, room_left(y, height, true));
  Canvas canvas(static_cast<int>(margin) + width + 30, static_cast<int>(kTop + kBottom) + height);
  Axes axes(canvas, {margin, kTop, margin + width, kTop + height}, x, y);
  axes.grid();
  canvas.clip(axes.box());
  for (size_t b = 0; b < bins; ++b) {
    const double left = x.low + x.extent() * static_cast<double>(b) / static_cast<double>(bins);
    const Spot from = axes.spot(left, histogram[b]), to = axes.spot(left + x.extent() / static_cast<double>(bins), 0);
    canvas.fill({from.x, from.y, to.x - 1, to.y}, kFaintBlue);
  }
  std::vector<Spot> path;
  for (size_t i = 0; i < curve.size(); ++i)
    path.push_back(
        axes.spot(x.low + x.extent() * static_cast<double>(i) / static_cast<double>(curve.size() - 1), curve[i]));
  canvas.stroke(path, 2.5, kOrange);
  canvas.unclip();
  axes.frame();
  axes.title("Density" + scene.at_context());
  axes.note(mass_note(area));
  axes.labels(scene.name(0), "density");
  const Axes::Entry entries[] = {{!data                        ? "samples of the model"
                                  : scene.at_context().empty() ? "data"
                                                               : "data of all contexts",
                                  kFaintBlue},
                                 {"model", kOrange}};
  const size_t half = curve.size() / 2;
  double left = 0, right = 0;
  for (size_t i = 0; i < curve.size(); ++i) (i < half ? left : right) += curve[i];
  axes.legend(entries, left > right, false);
  save(canvas, a.output);
  report_mass(area);
}

void two_columns(const PlotArgs& a, const Scene& scene) {
  const bool data = scene.has_data();
  const Matrix points = data ? scene.data() : scene.sample(a.points);
  const double side = a.size;
  Range x = range_of(points.column(0)), y = range_of(points.column(1));
  fit_units({0, 0, side, side}, x, y);
  const double room = room_left(y, side, true), margin = std::max(kLeft, room), gap = std::max(kGap, room);
  const Box left{margin, kTop, margin + side, kTop + side};
  const Box right{left.x1 + gap, kTop, left.x1 + gap + side, kTop + side};
  Canvas canvas(static_cast<int>(right.x1 + 16 + kBar + kRight), static_cast<int>(kTop + side + kBottom));

  Axes of_points(canvas, left, x, y);
  of_points.grid();
  scatter(canvas, of_points, points, 0, 1, data ? kBlue : kOrange);
  of_points.frame();
  const std::string at = scene.at_context();
  of_points.title(!data ? "Samples of the model" + at : at.empty() ? "Data" : "Data of all contexts");
  const int64_t all = data ? scene.data_rows() : points.rows;
  of_points.note(all > points.rows ? grouped(points.rows) + " of " + grouped(all) + " rows" : grouped(all) + " rows");
  of_points.labels(scene.name(0), scene.name(1));

  Axes of_density(canvas, right, x, y);
  const DensityMap map = density_map(scene, x, y, a.size, a.log);
  draw(canvas, map, right);
  of_density.frame();
  of_density.title((a.log ? "Log-density of the model" : "Density of the model") + at);
  of_density.note(mass_note(map.integral));
  of_density.labels(scene.name(0), scene.name(1));
  color_bar(canvas, {right.x1 + 16, right.y0, right.x1 + 16 + kBar, right.y1}, map.range, "");
  save(canvas, a.output);
  report_mass(map.integral);
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
