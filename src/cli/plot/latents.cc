// nf plot latents: where rows are in the latent space, and, of an autoencoder, on the way through the layers of its
// posterior. Rows have the colors of their classes.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/text.h"
#include "src/cli/plot/plot.h"
#include "src/cli/plot/principal.h"

namespace cli {
namespace {
constexpr double kTop = 62, kGapX = 16, kGapY = 32, kRight = 20;
constexpr size_t kMost = 24;  // panels

// Evenly spaced rows.
Matrix thinned(const Rows& rows, int64_t most, std::vector<int64_t>& which) {
  const int64_t n = std::min(rows.count(), most);
  Matrix m{n, rows.cols(), {}};
  for (int64_t i = 0; i < n; ++i) {
    which.push_back(i * rows.count() / n);
    for (int64_t c = 0; c < rows.cols(); ++c) m.values.push_back(rows.at(which.back(), c));
  }
  return m;
}

Color color_of_class(size_t k, size_t classes) {
  // Light and dark ones in turn, so that neighbors differ by more than hue.
  return oklch(k % 2 ? 0.72 : 0.55, 0.16, 25 + 360.0 * static_cast<double>(k) / static_cast<double>(classes));
}

// The latents of rows, one matrix per panel: z of a flow; z_0, .., z_K of an autoencoder.
std::vector<Matrix> latents_of(const nf::Model& model, nf::Session& session, const Matrix& x, const nf::View& context) {
  const nf::ModelInfo info = model.info();
  const int64_t d = info.latent_size;
  if (!is_vae(info)) return {{x.rows, d, session.forward<double>(x.view(), {}, context)}};
  const auto layers = description_of(model)["posterior_layers"].get<int64_t>();
  const auto size = static_cast<size_t>(x.rows * d);
  std::vector<double> all(size * static_cast<size_t>(layers + 1));
  session.posterior_trace_into(nf::Out(all.data(), {layers + 1, x.rows, d}), {}, x.view(), context);
  std::vector<Matrix> out;
  for (int64_t k = 0; k <= layers; ++k) {
    const auto at = all.begin() + k * x.rows * d;
    out.push_back({x.rows, d, {at, at + x.rows * d}});
  }
  return out;
}

struct Panel {
  Plane plane;
  std::string title;
};

std::string words(const Plane& p, int64_t latents) {
  if (latents <= 2) return {};
  return text("%.0f %% of the variance", 100 * (p.first + p.second));
}
}  // namespace

int plot_latents(const PlotArgs& a) {
  check_picture(a.output, ".png");
  const nf::Runtime runtime = a.settings->runtime();
  const nf::Model model = load_model(runtime, a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  DataPaths paths{a.data, a.context, a.data_columns, a.context_columns};
  paths.labels = a.labeled.labels;
  paths.classes = a.labeled.classes;
  const ColumnNames names = column_names(model);
  Data data = open_data(runtime, paths, *a.settings, NF_F64, names);
  // Here labels are colors too, so a model need not know them.
  if (info.context_size > 0) use_labels(data, paths, names, info.context_size, NF_F64);
  check_data(data, paths, info.event_size, info.context_size);
  std::vector<int64_t> which;
  const Matrix x = thinned(data.x, a.points, which);
  if (x.rows == 0) throw Failure(a.data + " has no rows");
  Matrix contexts;
  if (data.context.count() > 1) {
    contexts = {x.rows, data.context.cols(), {}};
    for (const int64_t r : which)
      for (int64_t c = 0; c < contexts.cols; ++c) contexts.values.push_back(data.context.at(r, c));
  }
  nf::Session session(model, a.settings->options({"session"}));
  const std::vector<Matrix> all = latents_of(model, session, x, contexts.rows ? contexts.view() : data.context.view());

  std::vector<Panel> panels;
  const size_t shown = std::min(all.size(), kMost);
  int64_t left_out = 0;
  for (size_t i = 0; i < shown; ++i) {
    const size_t k = shown > 1 ? i * (all.size() - 1) / (shown - 1) : 0;
    if (!std::all_of(all[k].values.begin(), all[k].values.end(), [](double v) { return std::isfinite(v); }))
      throw Failure("latents of some rows are not finite", "nf score names the rows");
    panels.push_back({principal_plane(all[k]), all.size() > 1 ? "z" + std::to_string(k) : "z"});
  }
  std::vector<Color> colors;
  const size_t classes = data.labels.classes.size();
  for (size_t r = 0; r < which.size(); ++r) {
    const Spot& s = panels.back().plane.points[r];
    colors.push_back(data.labels
                         ? color_of_class(static_cast<size_t>(data.labels.of[static_cast<size_t>(which[r])]), classes)
                         : wheel(s.x, s.y));
  }

  const double side = a.size;
  std::vector<std::pair<Range, Range>> ranges;
  double left = 0;
  for (const Panel& p : panels) {
    std::vector<double> xs, ys;
    for (const Spot& s : p.plane.points) xs.push_back(s.x), ys.push_back(s.y);
    Range rx = range_of(std::move(xs)), ry = range_of(std::move(ys));
    fit_units({0, 0, 1, 1}, rx, ry);
    ranges.emplace_back(rx, ry);
    left = std::max(left, room_left(ry, side, false));
  }
  const size_t columns = std::min<size_t>(panels.size(), panels.size() <= 5 ? 5 : 6);
  const size_t lines = (panels.size() + columns - 1) / columns;
  const double gap = left + kGapX, line = side + room_below(false) + kGapY;
  const std::string heading = (is_vae(info) ? "Draws of the posterior" : "Latents") +
                              std::string(info.latent_size > 2 ? ": two principal components of " : ", ") +
                              counted(info.latent_size, "latent");
  std::vector<Axes::Entry> entries;
  constexpr size_t kNamed = 20;
  for (size_t k = 0; data.labels && k < std::min(classes, kNamed); ++k)
    entries.push_back({data.labels.classes[k], color_of_class(k, classes), true});
  const Style bold{17, kInk, true};
  double legend = 0;
  for (const auto& e : entries) legend += 40 + text_width(e.words, Style{13, kInk, false});
  const double width = std::max({static_cast<double>(columns) * (side + gap) - gap, text_width(heading, bold), legend});
  const double below = entries.empty() ? 0 : 30;
  Canvas canvas(static_cast<int>(left + width + kRight),
                static_cast<int>(kTop + static_cast<double>(lines) * line - kGapY + below));
  draw_text(canvas, {left, 26}, heading, bold);
  for (size_t n = 0; n < panels.size(); ++n) {
    const double x0 = left + static_cast<double>(n % columns) * (side + gap);
    const double y0 = kTop + static_cast<double>(n / columns) * line;
    Axes axes(canvas, {x0, y0, x0 + side, y0 + side}, ranges[n].first, ranges[n].second);
    axes.grid();
    const double alpha =
        std::clamp(30 * std::sqrt(side * side / 40000 / static_cast<double>(colors.size())), 0.25, 0.9);
    int64_t outside = 0;
    canvas.clip(axes.box());
    for (size_t i = 0; i < colors.size(); ++i) {
      const Spot& s = panels[n].plane.points[i];
      canvas.disc(axes.spot(s.x, s.y), 1.6, colors[i], alpha);
      outside += !(axes.x().holds(s.x) && axes.y().holds(s.y));
    }
    canvas.unclip();
    axes.frame();
    if (outside) axes.corner(grouped(outside) + " outside");
    left_out = std::max(left_out, outside);
    axes.title(panels[n].title);
    axes.note(words(panels[n].plane, info.latent_size));
  }
  if (!entries.empty()) legend_row(canvas, {left, kTop + static_cast<double>(lines) * line - kGapY + 18}, entries);
  save(canvas, a.output);
  std::printf("rows  %s of %s\n", grouped(x.rows).c_str(), counted(data.x.count(), "row").c_str());
  if (classes > kNamed)
    std::printf("classes  %s, the first %zu of them named\n", counted(static_cast<int64_t>(classes), "class").c_str(),
                kNamed);
  if (left_out) std::printf("outside the window  at most %s in a panel\n", counted(left_out, "row").c_str());
  return kOk;
}

}  // namespace cli
