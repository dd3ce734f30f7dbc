// nf plot sheet: draws many small models at once, data above, density below.
#include <algorithm>
#include <filesystem>

#include "src/cli/common/text.h"
#include "src/cli/plot/density_map.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kEdge = 16, kTitle = 30, kGapX = 10, kGapY = 6, kBlockGap = 14;
constexpr Style kHeading{14, kInk, true};

size_t columns_for(size_t count) {
  const size_t rows = count <= 6 ? 1 : count <= 16 ? 2 : (count + 7) / 8;
  return (count + rows - 1) / rows;
}
}  // namespace

int plot_sheet(const PlotArgs& a, const std::vector<std::string>& models, const std::vector<std::string>& data) {
  check_picture(a.output, ".png");
  if (models.size() != data.size())
    throw Failure(counted(static_cast<int64_t>(models.size()), "model") + ", but " +
                      counted(static_cast<int64_t>(data.size()), "file") + " of data",
                  "one --data file per model, in the same order", kUsage);
  const size_t columns = columns_for(models.size()), rows = (models.size() + columns - 1) / columns;
  const double side = a.size, block = kTitle + 2 * side + kGapY + kBlockGap;
  Canvas canvas(static_cast<int>(2 * kEdge + static_cast<double>(columns) * (side + kGapX) - kGapX),
                static_cast<int>(2 * kEdge + static_cast<double>(rows) * block - kBlockGap));
  int64_t outside = 0, drawn = 0;
  for (size_t n = 0; n < models.size(); ++n) {
    const Scene scene(a, models[n], data[n]);
    if (scene.cols() != 2)
      throw Failure(models[n] + " has " + counted(scene.cols(), "column") + "; a sheet shows models of two");
    const double x0 = kEdge + static_cast<double>(n % columns) * (side + kGapX);
    const double y0 = kEdge + static_cast<double>(n / columns) * block + kTitle;
    const Box above{x0, y0, x0 + side, y0 + side}, below{x0, y0 + side + kGapY, x0 + side, y0 + 2 * side + kGapY};
    Range x = range_of(scene.data().column(0)), y = range_of(scene.data().column(1));
    fit_units(above, x, y);
    Axes axes(canvas, above, x, y);
    const std::string name = std::filesystem::path(models[n]).stem().string();
    draw_text(canvas, {x0 + side / 2, y0 - 9}, shortened(name, kHeading, side), kHeading, Align::center);
    canvas.outline(above, kGrid);
    const int64_t here = scatter(canvas, axes, scene.data(), 0, 1, kBlue);
    if (here) axes.corner(grouped(here) + " outside");
    outside += here, drawn += scene.data().rows;
    const DensityMap map = density_map(scene, x, y, a.size, false);
    draw(canvas, map, below);
    note_undefined(map, models[n]);
  }
  save(canvas, a.output);
  report_outside({{"data row", outside, drawn}});
  return kOk;
}

}  // namespace cli
