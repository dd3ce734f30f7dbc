// nf plot samples: draws two columns of the data and of samples on the same axes; a histogram for one column.
#include <algorithm>
#include <cmath>

#include "src/cli/common/text.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kTop = 40, kGap = 30, kRight = 24;
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
  const double left = room_left(y, side, true), step = scene.has_data() ? side + kGap + left : 0;
  const Box box{left, kTop, left + side, kTop + side};
  Canvas canvas(static_cast<int>(box.x1 + step + kRight), static_cast<int>(box.y1 + room_below(true)));
  const auto panel = [&](const Matrix& rows, double shift, Color color, const std::string& title, int64_t all) {
    Axes axes(canvas, {box.x0 + shift, box.y0, box.x1 + shift, box.y1}, {x, scene.name(i)}, {y, scene.name(j)});
    axes.grid();
    const int64_t outside = scatter(canvas, axes, rows, i, j, color);
    axes.frame();
    axes.title(title);
    axes.note(rows_note(rows.rows, all, outside));
    return outside;
  };
  const std::string at = scene.at_context();
  int64_t data_outside = 0;
  if (scene.has_data())
    data_outside = panel(scene.data(), 0, kBlue, at.empty() ? "Data" : "Data of all contexts", scene.data_rows());
  const int64_t outside =
      panel(samples, step, kOrange,
            scene.rows_have_contexts() ? "Samples, one per row's context" : "Samples of the model" + at, samples.rows);
  save(canvas, a.output);
  report_outside({{"data row", data_outside, scene.data().rows}, {"sample", outside, samples.rows}});
  return kOk;
}

}  // namespace cli
