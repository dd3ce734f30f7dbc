// nf plot target: draws a known density, Metropolis samples of it, and models fitted to it, side by side.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/cli/common/target.h"
#include "src/cli/common/text.h"
#include "src/cli/plot/density_map.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr double kEdge = 16, kTitle = 34, kGap = 14;
constexpr Style kHeading{14, kInk, true};

bool same_target(const std::string& a, const std::string& b) {
  try {
    return full_target(a) == full_target(b);
  } catch (const std::exception&) {  // a note may hold anything
    return false;
  }
}

// Notes on standard error if a model was fitted to something else than this target, and how far from it the model is.
void note_origin(const std::string& path, const std::string& target_name, const nf::Target& target,
                 const Scene& scene) {
  constexpr int64_t kSamples = 4000;
  const auto note = nlohmann::ordered_json::parse(scene.model().note("training"), nullptr, /*allow_exceptions=*/false);
  const std::string fitted = note.is_object() && note.contains("target") && note["target"].is_string()
                                 ? note["target"].get<std::string>()
                                 : std::string();
  if (same_target(fitted, target_name)) return;
  std::string far;
  const double log_z = target.info().log_z;
  try {
    const nf::ImportanceInfo found = scene.session().importance(target, kSamples);
    if (std::isfinite(log_z))
      far = text("; its reverse KL to %s is %.4g nats, %.2g %% of samples are effective", target_name.c_str(),
                 found.reverse_kl + log_z, 100 * found.ess_fraction);
  } catch (const nf::Exception&) {  // a failed inverse; draw the picture anyway
  }
  std::fprintf(stderr, "nf: note: %s was %s%s\n", path.c_str(),
               fitted.empty() ? "apparently not fitted to a target" : ("fitted to " + fitted).c_str(), far.c_str());
}
}  // namespace

int plot_target(const PlotArgs& a, const std::string& target_name, const std::vector<std::string>& models) {
  check_picture(a.output, ".png");
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Target target = open_target(runtime, target_name, 2);
  std::vector<std::unique_ptr<Scene>> scenes;
  for (const std::string& path : models) {
    scenes.push_back(std::make_unique<Scene>(a, path, ""));
    if (scenes.back()->cols() != 2)
      throw Failure(path + " has " + counted(scenes.back()->cols(), "column") + "; the picture shows two");
  }
  const Matrix walked{a.points, 2, walk(runtime, target, a.points, a.seed)};
  Range x = range_of(walked.column(0)), y = range_of(walked.column(1));
  fit_units({0, 0, static_cast<double>(a.size), static_cast<double>(a.size)}, x, y);
  const size_t panels = 2 + models.size();
  const double side = a.size;
  const double left = room_left(y, side, false);
  Canvas canvas(static_cast<int>(left + static_cast<double>(panels) * (side + kGap) - kGap + kEdge),
                static_cast<int>(kTitle + side + room_below(false)));
  size_t next = 0;
  const auto panel = [&](const std::string& title) {
    const double x0 = left + static_cast<double>(next++) * (side + kGap);
    draw_text(canvas, {x0 + side / 2, kTitle - 10}, shortened(title, kHeading, side), kHeading, Align::center);
    return Box{x0, kTitle, x0 + side, kTitle + side};
  };
  const auto log_density = [&](const Matrix& grid) {
    std::vector<double> values(static_cast<size_t>(grid.rows));
    target.log_density(grid.view(), values);
    return values;
  };
  const auto density = [&](const DensityMap& map, const std::string& title) {
    const bool first = next == 0;  // the other panels share its numbers on the left
    const Box box = panel(title);
    draw(canvas, map, box);
    Axes(canvas, box, x, y).frame(true, first);
    note_undefined(map, title);
  };
  density(density_map(log_density, x, y, a.size, a.log), target_name);
  const Box box = panel("Metropolis");
  Axes axes(canvas, box, x, y);
  axes.grid();
  const int64_t outside = scatter(canvas, axes, walked, 0, 1, kBlue);
  axes.frame(true, false);
  if (outside) axes.corner(grouped(outside) + " outside");
  for (size_t i = 0; i < models.size(); ++i) {
    note_origin(models[i], target_name, target, *scenes[i]);
    density(density_map(*scenes[i], x, y, a.size, a.log), std::filesystem::path(models[i]).stem().string());
  }
  save(canvas, a.output);
  report_outside({{"Metropolis sample", outside, walked.rows}});
  return kOk;
}

}  // namespace cli
