// nf plot target: a known density, Metropolis samples of it, and models fitted to it, side by side.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "src/cli/density_map.h"
#include "src/cli/plot.h"
#include "src/cli/target.h"
#include "src/cli/text.h"

namespace nf::cli {
namespace {
constexpr double kEdge = 16, kTitle = 34, kGap = 12;
constexpr int64_t kChains = 200;

std::vector<double> log_density(const nf_target* target, Matrix& x) {
  std::vector<double> out(static_cast<size_t>(x.rows));
  nf_view rows = NF_VIEW_INIT, values = NF_VIEW_INIT;
  rows.dtype = values.dtype = NF_F64;
  rows.ndim = 2, rows.shape[0] = x.rows, rows.shape[1] = x.cols, rows.data = x.values.data();
  values.ndim = 1, values.shape[0] = x.rows, values.data = out.data();
  call(nf_target_log_density, target, &rows, nullptr, &values, nullptr);
  return out;
}

Matrix chains(const PlotArgs& a, nf_runtime* runtime, const nf_target* target) {
  const int64_t draws = (a.points + kChains - 1) / kChains;
  Matrix all{draws * kChains, 2, std::vector<double>(static_cast<size_t>(2 * draws * kChains))};
  nf_view out = NF_VIEW_INIT;
  out.dtype = NF_F64, out.ndim = 3, out.data = all.values.data();
  out.shape[0] = draws, out.shape[1] = kChains, out.shape[2] = 2;
  Settings settings;
  settings.set("step_size", "1");
  settings.set("burn_in", "2000");
  settings.set("thin", "20");
  settings.set("seed", std::to_string(a.seed));
  const Options options = settings.bag();
  call(nf_metropolis, runtime, target, nullptr, options.get(), nullptr, nullptr, &out, nullptr);
  all.rows = a.points;
  return all;
}
}  // namespace

int plot_target(const PlotArgs& a, const std::string& target_name, const std::vector<std::string>& models) {
  check_picture(a.output, ".png");
  const Runtime runtime = a.settings->runtime();
  const Target target = open_target(runtime.get(), target_name, 2);
  const Matrix walked = chains(a, runtime.get(), target.get());
  Range x = range_of(walked.column(0)), y = range_of(walked.column(1));
  fit_units({0, 0, static_cast<double>(a.size), static_cast<double>(a.size)}, x, y);
  const size_t panels = 2 + models.size();
  const double side = a.size;
  Canvas canvas(static_cast<int>(2 * kEdge + static_cast<double>(panels) * (side + kGap) - kGap),
                static_cast<int>(kTitle + side + kEdge));
  size_t next = 0;
  const auto panel = [&](const std::string& title) {
    const double x0 = kEdge + static_cast<double>(next++) * (side + kGap);
    draw_text(canvas, {x0 + side / 2, kTitle - 10}, title, {15, kInk, true}, Align::centre);
    return Box{x0, kTitle, x0 + side, kTitle + side};
  };
  draw(canvas, density_map([&](Matrix& grid) { return log_density(target.get(), grid); }, x, y, a.size, a.log),
       panel(target_name));
  const Box box = panel("Metropolis");
  canvas.outline(box, kGrid);
  const Axes axes(canvas, box, x, y);
  scatter(canvas, axes, walked, 0, 1, kBlue);
  for (const std::string& path : models) {
    const Scene scene(a, path, "");
    if (scene.cols() != 2)
      throw Failure(path + " has " + std::to_string(scene.cols()) + " columns; the picture shows two", {}, kUsage);
    draw(canvas, density_map(scene, x, y, a.size, a.log), panel(std::filesystem::path(path).stem().string()));
  }
  save(canvas, a.output);
  return kOk;
}

}  // namespace nf::cli
