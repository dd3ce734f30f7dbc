// nf plot curve: draws what `nf train --curve` or `nf fit-target --curve` wrote; -loss for fits, so that higher is
// better in both.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

#include "src/cli/common/text.h"
#include "src/cli/plot/plot.h"
#include "src/cli/run/state.h"

namespace cli {
namespace {
constexpr double kTop = 40, kRight = 34;

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

// The first points are far below the rest; cuts them off to show the part near the top, with at least half of each curve.
Range interesting(const std::vector<CurvePoint>& curve) {
  double high = -std::numeric_limits<double>::infinity(), low = -high;
  std::vector<std::vector<double>> both;
  for (double CurvePoint::*value : {&CurvePoint::train, &CurvePoint::valid}) {
    std::vector<double> values;
    for (const CurvePoint& p : curve)
      if (std::isfinite(p.*value)) values.push_back(p.*value);
    if (values.empty()) continue;
    std::sort(values.begin(), values.end());
    high = std::max(high, values.back());
    both.push_back(std::move(values));
  }
  if (both.empty()) return {-1, 1};
  for (const std::vector<double>& values : both)
    low = std::min(low, std::max(values.front(), high - 6 * std::max(high - values[values.size() / 2], 1e-6)));
  const double room = std::max(0.06 * (high - low), 1e-6);
  return {low - room, high + room};
}

// Keeps the first, last, lowest and highest of the points in each column of pixels: the stroke looks the same, and hundreds
// of thousands of points take no longer than a few thousand. Points that are not finite stay, as gaps.
std::vector<Spot> thinned(const std::vector<Spot>& path) {
  const auto finite = [](const Spot& s) { return std::isfinite(s.x) && std::isfinite(s.y); };
  std::vector<Spot> out;
  for (size_t from = 0, to = 0; from < path.size(); from = to) {
    size_t low = from, high = from;
    for (to = from + 1; to < path.size() && finite(path[from]) && finite(path[to]) &&
                        std::floor(path[to].x) == std::floor(path[from].x);
         ++to) {
      if (path[to].y < path[low].y) low = to;
      if (path[to].y > path[high].y) high = to;
    }
    size_t last = path.size();
    for (const size_t i : {from, std::min(low, high), std::max(low, high), to - 1}) {
      if (i != last) out.push_back(path[i]);
      last = i;
    }
  }
  return out;
}

// Marks where a curve enters or leaves the window through its lower edge, and points that are not finite. Returns the
// number of points that are not shown.
int64_t mark_cuts(Axes& axes, const std::vector<CurvePoint>& curve, double CurvePoint::*value, Color color) {
  int64_t hidden = 0;
  bool before = false;  // the point before is shown
  for (size_t i = 0; i < curve.size(); ++i) {
    const double v = curve[i].*value, step = static_cast<double>(curve[i].step);
    const bool shown = v >= axes.y().low, next = i + 1 < curve.size() && curve[i + 1].*value >= axes.y().low;
    if (!shown) {
      ++hidden;
      // One mark at each end of the part that is cut off: where the curve crosses the edge.
      const auto crossing = [&](const CurvePoint& in) {
        if (!std::isfinite(v)) return step;
        return step + (axes.y().low - v) / (in.*value - v) * (static_cast<double>(in.step) - step);
      };
      if (before) axes.mark_below(crossing(curve[i - 1]), color);
      if (next) axes.mark_below(crossing(curve[i + 1]), color);
    }
    before = shown;
  }
  if (hidden == static_cast<int64_t>(curve.size()))  // all of it
    for (const CurvePoint& p : curve) axes.mark_below(static_cast<double>(p.step), color);
  return hidden;
}

// Validation is not measured at every step, so that its column has gaps.
std::vector<CurvePoint> measured(const std::vector<CurvePoint>& curve, double CurvePoint::*value) {
  std::vector<CurvePoint> out;
  for (const CurvePoint& p : curve)
    if (!std::isnan(p.*value)) out.push_back(p);
  return out;
}
}  // namespace

int plot_curve(const PlotArgs& a) {
  check_picture(a.output, ".png");
  bool fit = false;
  const std::vector<CurvePoint> curve = read(a.data, &fit);
  const int width = a.size * 3 / 2, height = a.size * 9 / 10;
  const Range values = interesting(curve);
  const double left = room_left(values, height, true);
  Canvas canvas(static_cast<int>(left + kRight) + width, static_cast<int>(kTop + room_below(true)) + height);
  const Range steps{0, static_cast<double>(std::max<uint64_t>(curve.back().step, 1)), 1};
  Axes axes(canvas, {left, kTop, left + width, kTop + height}, {steps, "step"},
            {values, fit ? "\u2212loss (nats), at most log Z" : "log-likelihood (nats per row)"});
  axes.grid();
  std::vector<Spot> train, valid;
  const CurvePoint* best = nullptr;
  for (const CurvePoint& p : curve) {
    train.push_back(axes.spot(static_cast<double>(p.step), p.train));
    valid.push_back(axes.spot(static_cast<double>(p.step), p.valid));
    if (std::isfinite(p.valid) && (!best || p.valid > best->valid)) best = &p;
  }
  canvas.clip(axes.box());
  canvas.stroke(thinned(train), 2, kBlue, 0.75);
  canvas.stroke(thinned(valid), 2.5, kOrange);
  canvas.unclip();
  const int64_t hidden = mark_cuts(axes, curve, &CurvePoint::train, kBlue) +
                         mark_cuts(axes, measured(curve, &CurvePoint::valid), &CurvePoint::valid, kOrange);
  axes.frame();
  if (best) {
    const Spot at = axes.spot(static_cast<double>(best->step), best->valid);
    canvas.disc(at, 6, kWhite);
    canvas.disc(at, 4.5, kOrange);
  }
  axes.title("Learning curve");
  if (best)
    axes.note("best validation " + rounded(best->valid, values.extent() / 100) + " at step " +
              grouped(static_cast<int64_t>(best->step)));
  std::vector<Axes::Entry> entries{{fit ? "fit" : "training", kBlue}};
  if (best) entries.push_back({"validation", kOrange});
  axes.legend(entries, true, true);
  save(canvas, a.output);
  if (hidden) std::printf("below the window  %s\n", counted(hidden, "point").c_str());
  return kOk;
}

}  // namespace cli
