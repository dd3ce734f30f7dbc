// See chart.h. The first points of a run are far below the rest; the scale clips them to the bottom edge so that the
// later part is visible.
#include "src/cli/run/chart.h"

#include <algorithm>
#include <cmath>

namespace cli {
namespace {
constexpr size_t kHeight = 8;
constexpr size_t kMaxColumns = 64;

struct Scale {
  double low, high;
  size_t row(double v) const {  // 0 is the top
    const double t = std::clamp((v - low) / (high - low), 0.0, 1.0);
    return static_cast<size_t>(std::lround((1 - t) * static_cast<double>(kHeight - 1)));
  }
};

Scale scale_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double high = values.back(), middle = values[values.size() / 2];
  const double low = std::max(values.front(), high - 4 * std::max(high - middle, 1e-6));
  return {low, std::max(high, low + 1e-6)};
}
}  // namespace

std::string chart(const std::vector<CurvePoint>& curve, const Screen& screen) {
  std::vector<double> finite;
  for (const CurvePoint& p : curve)
    for (double v : {p.train, p.valid})
      if (std::isfinite(v)) finite.push_back(v);
  if (curve.size() < 3 || finite.size() < 3) return {};
  const Scale scale = scale_of(finite);
  const bool validated =
      std::any_of(curve.begin(), curve.end(), [](const CurvePoint& p) { return std::isfinite(p.valid); });
  const size_t columns = std::min({kMaxColumns, std::max<size_t>(screen.width(), 40) - 12, 2 * curve.size()});

  enum Cell : char { empty, train, valid };
  std::vector<std::vector<Cell>> cells(kHeight, std::vector<Cell>(columns, empty));
  const double last = static_cast<double>(curve.back().step);
  for (size_t pass = 0; pass < 2; ++pass)  // draw validation last, on top
    for (const CurvePoint& p : curve) {
      const double v = pass ? p.valid : p.train;
      if (!std::isfinite(v)) continue;
      const auto column = static_cast<size_t>(static_cast<double>(p.step) / last * static_cast<double>(columns - 1));
      cells[scale.row(v)][column] = pass ? valid : train;
    }

  const char* const bar = screen.unicode() ? "┤" : "|";
  const char* const dot = screen.unicode() ? "·" : ".";
  const char* const mark = screen.unicode() ? "●" : "o";
  std::string out = "log-likelihood   " + screen.dim(std::string(dot) + " training");
  if (validated) out += "   " + screen.good(std::string(mark) + " validation");
  out += '\n';
  for (size_t row = 0; row < kHeight; ++row) {
    const double value = scale.high - (scale.high - scale.low) * static_cast<double>(row) / (kHeight - 1);
    out += (row % 7 == 0 ? text("%9.3f ", value) : std::string(10, ' ')) + bar;
    for (Cell c : cells[row]) out += c == valid ? screen.good(mark) : c == train ? screen.dim(dot) : " ";
    out += '\n';
  }
  const std::string end = grouped(static_cast<int64_t>(curve.back().step));
  out += std::string(11, ' ') + "0" + std::string(columns > end.size() + 1 ? columns - end.size() - 1 : 1, ' ') + end +
         " steps\n";
  return out;
}

}  // namespace cli
