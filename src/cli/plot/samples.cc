// nf plot samples: draws two columns of the data and of samples on the same axes; a histogram for one column.
#include <algorithm>
#include <cmath>

#include "src/cli/common/text.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kLeft = 78, kTop = 44, kBottom = 62, kGap = 84, kRight = 26;
}

int plot_samples(const PlotArgs& a) {
  check_picture(a.output, ".png");
  const Scene scene(a, a.model, a.data, Contexts::of_rows);
  if (scene.cols() == 1) return plot_density(a);
  scene.mention_contexts();
  const std::pair<int64_t, int64_t> pair = pair_of(scene, a.columns);
  const int64_t i = pair.first, j = pair.second;
  const Matrix samples = scene.sample(scene.has_data() ? scene.data().rows : a.points);
  // The data sets the range, so that stray samples do not.
  const Matrix& shown = scene.has_data() ? scene.data() : samples;
  Range x = range_of(shown.column(i)), y = range_of(shown.column(j));
  const double side = a.size;
  // Columns of a wider table have different units.
  if (scene.cols() == 2) fit_units({0, 0, side, side}, x, y);
  const double room = room_left(y, side, true), left = std::max(kLeft, room);
  const Box box{left, kTop, left + side, kTop + side};
  const double step = scene.has_data() ? side + std::max(kGap, room) : 0;
  Canvas canvas(static_cast<int>(box.x1 + step + kRight), static_cast<int>(box.y1 + kBottom));
  const auto panel = [&](const Matrix& rows, double shift, Color color, const std::string& title, int64_t all) {
    Axes axes(canvas, {box.x0 + shift, box.y0, box.x1 + shift, box.y1}, x, y);
    axes.grid();
    scatter(canvas, axes, rows, i, j, color);
    axes.frame();
    axes.title(title);
    axes.note(all > rows.rows ? grouped(rows.rows) + " of " + grouped(all) + " rows" : grouped(all) + " rows");
    axes.labels(scene.name(i), scene.name(j));
  };
  const std::string at = scene.at_context();
  if (scene.has_data()) panel(scene.data(), 0, kBlue, at.empty() ? "Data" : "Data of all contexts", scene.data_rows());
  panel(samples, step, kOrange,
        scene.rows_have_contexts() ? "Samples, one per row's context" : "Samples of the model" + at, samples.rows);
  save(canvas, a.output);
  return kOk;
}

}  // namespace cli
