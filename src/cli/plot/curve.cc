// nf plot curve: draws what `nf train --curve` or `nf fit-target --curve` wrote; -loss for fits, so that higher is
// better in both.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>

#include "src/cli/common/text.h"
#include "src/cli/plot/plot.h"
#include "src/cli/run/state.h"

namespace cli {
namespace {
constexpr double kLeft = 84, kTop = 44, kBottom = 62, kRight = 34;

std::vector<CurvePoint> read(const std::string& path, bool* fit) {
  std::ifstream file(path);
  if (!file) throw Failure("cannot read " + path, "`nf train --curve " + path + "` writes one");
  std::string line;
  std::getline(file, line);
  *fit = line == kFitCurve;
  if (line != kTrainCurve && !*fit)
    throw Failure(path + " is not a learning curve",
                  "`nf train --curve FILE` writes one; its first line is " + std::string(kTrainCurve));
  std::vector<CurvePoint> curve;
  for (size_t number = 2; std::getline(file, line); ++number) {
    std::vector<double> cells;
    for (size_t at = 0, end = 0; end < line.size(); at = end + 1) {
      end = std::min(line.find(',', at), line.size());
      double v = std::numeric_limits<double>::quiet_NaN();  // an empty cell: no validation
      if (std::from_chars(line.data() + at, line.data() + end, v).ptr != line.data() + end) break;
      cells.push_back(v);
    }
    if (cells.size() != 5) throw Failure(path + ": line " + std::to_string(number) + " does not have five numbers");
    curve.push_back({static_cast<uint64_t>(std::max(0.0, cells[0])), cells[1], cells[2], cells[3], cells[4]});
    if (*fit) curve.back().train = -cells[1], curve.back().valid = std::numeric_limits<double>::quiet_NaN();
  }
  if (curve.size() < 2)
    throw Failure(path + " has " + counted(static_cast<int64_t>(curve.size()), "point") +
                  "; a curve needs at least two");
  return curve;
}

// The first points are far below the rest; clips them to show the part near the top.
Range interesting(const std::vector<CurvePoint>& curve) {
  std::vector<double> values;
  for (const CurvePoint& p : curve)
    for (double v : {p.train, p.valid})
      if (std::isfinite(v)) values.push_back(v);
  if (values.empty()) return {-1, 1};
  std::sort(values.begin(), values.end());
  const double high = values.back(), middle = values[values.size() / 2];
  const double low = std::max(values.front(), high - 6 * std::max(high - middle, 1e-6));
  const double room = std::max(0.06 * (high - low), 1e-6);
  return {low - room, high + room};
}
}  // namespace

int plot_curve(const PlotArgs& a) {
  check_picture(a.output, ".png");
  bool fit = false;
  const std::vector<CurvePoint> curve = read(a.data, &fit);
  const int width = a.size * 3 / 2, height = a.size * 9 / 10;
  const Range values = interesting(curve);
  const double left = std::max(kLeft, room_left(values, height, true));
  Canvas canvas(static_cast<int>(left + kRight) + width, static_cast<int>(kTop + kBottom) + height);
  const Range steps{0, static_cast<double>(std::max<uint64_t>(curve.back().step, 1))};
  Axes axes(canvas, {left, kTop, left + width, kTop + height}, steps, values);
  axes.grid();
  std::vector<Spot> train, valid;
  const CurvePoint* best = nullptr;
  for (const CurvePoint& p : curve) {
    train.push_back(axes.spot(static_cast<double>(p.step), p.train));
    valid.push_back(axes.spot(static_cast<double>(p.step), p.valid));
    if (std::isfinite(p.valid) && (!best || p.valid > best->valid)) best = &p;
  }
  canvas.clip(axes.box());
  canvas.stroke(train, 2, kBlue, 0.75);
  canvas.stroke(valid, 2.5, kOrange);
  if (best) {
    const Spot at = axes.spot(static_cast<double>(best->step), best->valid);
    canvas.disc(at, 6, kWhite);
    canvas.disc(at, 4.5, kOrange);
  }
  canvas.unclip();
  axes.frame();
  axes.title("Learning curve");
  if (best)
    axes.note(text("best validation %.4f at step %s", best->valid, grouped(static_cast<int64_t>(best->step)).c_str()));
  axes.labels("step", fit ? "-loss (nats), at most log Z" : "log-likelihood (nats)");
  std::vector<Axes::Entry> entries{{fit ? "fit" : "training", kBlue}};
  if (best) entries.push_back({"validation", kOrange});
  axes.legend(entries, true, true);
  save(canvas, a.output);
  return kOk;
}

}  // namespace cli
