// Integrates the density of models of one or two columns over a box, on a grid that is refined where the density is
// sharp. See check.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "src/cli/check/check.h"
#include "src/cli/check/numbers.h"

namespace cli {
namespace {

constexpr int64_t kPoints = 4;              // per axis of a cell
constexpr int64_t kMostPoints = 4'000'000;  // of one integral
constexpr double kCellError = 2e-6;         // a cell is refined while its halves change it by more
constexpr int64_t kSamples = 10'000;

struct Cell {
  std::array<double, 2> low, high;
  double value = std::nan("");    // the integral by the midpoint rule on kPoints points per axis
  std::vector<uint32_t> samples;  // that lie in it
};

struct Integral {
  double mass = 0;
  double open = 0;  // changes of the cells that were not refined to the end
  int64_t points = 0;
};

class Grid {
 public:
  Grid(const CheckedModel& s, const std::vector<double>& context, const std::vector<double>& samples)
      : s_(s), context_(context), samples_(samples), dims_(static_cast<size_t>(s.info.event_size)) {}

  Integral integrate(const std::array<double, 2>& low, const std::array<double, 2>& high) {
    Integral out;
    std::vector<Cell> cells = pieces({low, high, 0, all_samples()}, dims_ == 1 ? 256 : 32);
    evaluate(cells, out);
    while (!cells.empty()) {
      std::vector<Cell> children;
      for (const Cell& c : cells) {
        std::vector<Cell> halves = pieces(c, 2);
        std::move(halves.begin(), halves.end(), std::back_inserter(children));
      }
      const size_t per = children.size() / cells.size();
      const bool last = out.points + points_of(children) * static_cast<int64_t>(per) > kMostPoints;
      evaluate(children, out);
      std::vector<Cell> next;
      for (size_t i = 0; i < cells.size(); ++i) {
        double sum = 0;
        for (size_t k = 0; k < per; ++k) sum += children[i * per + k].value;
        const double change = std::abs(sum - cells[i].value);
        const bool done = change <= kCellError && agrees(sum, cells[i].samples.size());
        if (done || last) {
          out.mass += sum;
          if (!done) out.open += std::max(change, missing(sum, cells[i].samples.size()));
        } else {
          std::move(children.begin() + static_cast<int64_t>(i * per),
                    children.begin() + static_cast<int64_t>((i + 1) * per), std::back_inserter(next));
        }
      }
      cells = std::move(next);
    }
    return out;
  }

 private:
  // A peak between the points of a cell changes nothing when the cell is halved, but samples fall on it.
  double missing(double mass, size_t samples) const {
    const double share = static_cast<double>(samples) / static_cast<double>(count());
    return std::abs(share - mass);
  }
  bool agrees(double mass, size_t samples) const {
    return missing(mass, samples) <= 4 * std::sqrt(static_cast<double>(samples) + 1) / static_cast<double>(count());
  }
  size_t count() const { return samples_.size() / dims_; }
  std::vector<uint32_t> all_samples() const {
    std::vector<uint32_t> all;
    for (uint32_t i = 0; i < count(); ++i) all.push_back(i);
    return all;
  }
  int64_t points_of(const std::vector<Cell>& cells) const {
    return static_cast<int64_t>(cells.size()) * (dims_ == 1 ? kPoints : kPoints * kPoints);
  }

  // Cuts a cell into `per` pieces along every axis.
  std::vector<Cell> pieces(const Cell& c, int64_t per) const {
    std::vector<Cell> out(static_cast<size_t>(dims_ == 1 ? per : per * per), c);
    const auto edge = [&](size_t j, int64_t k) {
      return k == per ? c.high[j]
                      : c.low[j] + static_cast<double>(k) / static_cast<double>(per) * (c.high[j] - c.low[j]);
    };
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].samples.clear();
      for (size_t j = 0; j < dims_; ++j) {
        const int64_t k = j == 0 ? static_cast<int64_t>(i) % per : static_cast<int64_t>(i) / per;
        out[i].low[j] = edge(j, k);
        out[i].high[j] = edge(j, k + 1);
      }
    }
    for (const uint32_t r : c.samples) {
      size_t at = 0;
      for (size_t j = dims_; j-- > 0;) {
        int64_t k = static_cast<int64_t>((samples_[r * dims_ + j] - c.low[j]) / (c.high[j] - c.low[j]) *
                                         static_cast<double>(per));
        k = std::clamp<int64_t>(k, 0, per - 1);
        at = at * static_cast<size_t>(per) + static_cast<size_t>(k);
      }
      out[at].samples.push_back(r);
    }
    return out;
  }

  void evaluate(std::vector<Cell>& cells, Integral& total) const {
    const int64_t each = dims_ == 1 ? kPoints : kPoints * kPoints;
    constexpr size_t kCells = 4096;  // per call
    for (size_t first = 0; first < cells.size(); first += kCells) {
      const size_t end = std::min(cells.size(), first + kCells);
      std::vector<double> points;
      for (size_t i = first; i < end; ++i)
        for (int64_t p = 0; p < each; ++p)
          for (size_t j = 0; j < dims_; ++j) {
            const double k = static_cast<double>(j == 0 ? p % kPoints : p / kPoints) + 0.5;
            points.push_back(cells[i].low[j] + k / kPoints * (cells[i].high[j] - cells[i].low[j]));
          }
      const std::vector<double> log_p = s_.log_prob(points, context_);
      for (size_t i = first; i < end; ++i) {
        double volume = 1, sum = 0;
        for (size_t j = 0; j < dims_; ++j) volume *= cells[i].high[j] - cells[i].low[j];
        for (int64_t p = 0; p < each; ++p)
          sum += std::exp(log_p[(i - first) * static_cast<size_t>(each) + static_cast<size_t>(p)]);
        cells[i].value = sum * volume / static_cast<double>(each);
      }
      total.points += static_cast<int64_t>(points.size() / dims_);
    }
  }

  const CheckedModel& s_;
  const std::vector<double>& context_;
  const std::vector<double>& samples_;
  const size_t dims_;
};

}  // namespace

Finding check_mass(const CheckedModel& s, uint64_t seed) {
  const auto dims = static_cast<size_t>(s.info.event_size);
  Finding f{"mass", Verdict::none, {}, {}};
  if (dims > 2) {
    f.message = "not integrated: grids are used for one or two columns, and the model has " + std::to_string(dims);
    f.numbers = {{"integrated", false}};
    return f;
  }
  const std::vector<double> context = s.one_context(0);
  std::vector<double> samples = s.sample_of(kSamples, seed, context).x;
  for (double& v : samples) v = std::isfinite(v) ? v : 0;
  // The box of the samples, and of data that has the same context, larger by half its size on every side.
  std::array<double, 2> low, high;
  for (size_t j = 0; j < dims; ++j) {
    low[j] = std::numeric_limits<double>::infinity(), high[j] = -low[j];
    const auto take = [&](const std::vector<double>& rows) {
      for (size_t k = j; k < rows.size(); k += dims)
        if (std::isfinite(rows[k])) low[j] = std::min(low[j], rows[k]), high[j] = std::max(high[j], rows[k]);
    };
    take(samples);
    if (context.empty()) take(s.x);
    const double more = std::max(0.5 * (high[j] - low[j]), 0.5 * s.spread[j]);
    low[j] -= more, high[j] += more;
  }
  Grid grid(s, context, samples);
  Integral sum;
  for (int widened = 0;; ++widened) {
    sum = grid.integrate(low, high);
    if (!(sum.mass < 1 - 1e-3) || sum.open > 1e-3 || widened == 2) break;
    for (size_t j = 0; j < dims; ++j) {  // to include the tails
      const double more = (high[j] - low[j]) / 2;
      low[j] -= more, high[j] += more;
    }
  }
  const double off = std::abs(sum.mass - 1);
  std::string box;
  for (size_t j = 0; j < dims; ++j) box += text("%s[%.3g, %.3g]", j ? " x " : "", low[j], high[j]);
  if (off > 1e-3 && sum.open > off / 4) {
    f.message = text("not checked: the density over %s is too sharp for a grid of %s (%.4f, uncertain by %.1e)",
                     box.c_str(), counted(sum.points, "point").c_str(), sum.mass, sum.open);
  } else {
    f.verdict = off <= 1e-3 ? Verdict::ok : off <= 1e-2 ? Verdict::look : Verdict::fail;
    f.message = text("the density integrates to %.5f over %s, on a grid of %s refined where it is sharp", sum.mass,
                     box.c_str(), counted(sum.points, "point").c_str());
  }
  if (!context.empty()) f.message += ", for the first context";
  f.numbers = {{"integrated", true},
               {"mass", sum.mass},
               {"uncertain", sum.open},
               {"points", sum.points},
               {"low", std::vector<double>(low.begin(), low.begin() + static_cast<int64_t>(dims))},
               {"high", std::vector<double>(high.begin(), high.begin() + static_cast<int64_t>(dims))}};
  return f;
}

}  // namespace cli
