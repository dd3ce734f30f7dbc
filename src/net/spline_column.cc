#include "src/net/spline_column.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "runtime/kernel/binary.h"
#include "runtime/op/spline_vars.h"

namespace libnf {
namespace {

using kernel::SplineBox;
using kernel::SplineTails;

std::vector<SplineBox> boxes_of(const SplineConfig& c, const Declare& d) {
  constexpr SplineTails kTails[] = {SplineTails::linear, SplineTails::none, SplineTails::circular};
  std::vector<SplineBox> boxes(static_cast<size_t>(d.columns()));
  const std::vector<double> bound = {-c.bound, c.bound};
  const std::vector<double>& ends = c.interval.empty() ? bound : c.interval;
  if (ends.size() != 2 && ends.size() != 2 * boxes.size())
    d.reject("interval", "takes low, high for all columns, or low, high of every column one after the other");
  if (!c.circular.empty() && c.circular.size() != boxes.size()) d.reject("circular", "takes a 0 or 1 for every column");
  for (size_t i = 0; i < boxes.size(); ++i) {
    SplineBox& b = boxes[i];
    const size_t at = ends.size() == 2 ? 0 : 2 * i;
    b.low = b.bottom = ends[at];
    b.high = b.top = ends[at + 1];
    // Knots must remain distinct, in float32 too.
    if (!(b.high - b.low > 1e-3 * std::max(std::abs(b.low), std::abs(b.high))))
      d.reject("interval", "high must lie above low, by a thousandth of their size or more");
    b.tails = !c.circular.empty() && c.circular[i] ? SplineTails::circular : kTails[static_cast<size_t>(c.tails)];
  }
  return boxes;
}

}  // namespace

void SplineConfig::fields(Fields& f) {
  static constexpr const char* kTails[] = {"linear", "none", "circular"};
  static constexpr const char* kConventions[] = {"identity", "nflows", "zuko"};
  static constexpr const char* kKinds[] = {"rational_quadratic", "linear", "quadratic", "cubic"};
  f.choice("spline", "function in each bin", kind, kKinds);
  f.integer("bins", "number of bins", bins, 1, kernel::kMaxSplineBins);
  f.choice("tails",
           "outside the interval: the identity, with slope 1 at the ends; straight lines with free slopes; or the "
           "interval is a circle",
           tails, kTails);
  f.integers("circular", "1 for every column that is a circle, 0 for the others; empty: as given by tails", circular, 0,
             1, INT32_MAX);
  f.real("bound", "the spline covers [-bound, bound]", bound, 0.01, 20);
  f.reals("interval", "low, high instead of bound: one pair for all columns, or one pair per column, listed in order",
          interval, -1e6, 1e6, INT32_MAX);
  f.choice(
      "convention",
      "map from raw numbers to slopes and sizes: zeros give the identity; softplus as in nflows; clipped exponentials "
      "as in zuko",
      convention, kConventions);
  f.real("min_bin_width", "smallest width of a bin, as a fraction of the interval", min_bin_width, 1e-6, 0.1);
  f.real("min_bin_height", "smallest height of a bin, as a fraction of the interval", min_bin_height, 1e-6, 0.1);
  f.real("min_derivative",
         "smallest slope at a knot; for a cubic spline, at its ends, relative to the slope of the end bins",
         min_derivative, 1e-6, 0.1);
}

SplineColumn::SplineColumn(const SplineConfig& c, const Declare& d, double raw_scale)
    : rational_(c.kind == SplineKind::rational_quadratic), boxes_(boxes_of(c, d)), per_(0) {
  shape_.bins = pieces_.bins = c.bins;
  shape_.min_width = pieces_.min_width = c.min_bin_width;
  shape_.min_height = pieces_.min_height = c.min_bin_height;
  shape_.raw_scale = pieces_.raw_scale = raw_scale;
  shape_.min_derivative = pieces_.min_slope = c.min_derivative;
  shape_.soft_clip = c.convention == SplineConvention::zuko;
  // solves log(1 + e^0)/beta + min_derivative = 1 for beta
  if (c.convention == SplineConvention::identity) shape_.beta = std::log(2.0) / (1 - c.min_derivative);
  const auto bins = static_cast<double>(c.bins);
  if (bins * c.min_bin_width >= 1) d.reject("min_bin_width", "bins times it must stay below 1");
  if (bins * c.min_bin_height >= 1) d.reject("min_bin_height", "bins times it must stay below 1");
  if (!rational_) {
    pieces_.pieces = static_cast<kernel::SplinePieces>(static_cast<int>(c.kind) - 1);
    pieces_.nflows = c.convention == SplineConvention::nflows;
    if (c.convention == SplineConvention::zuko) d.reject("convention", "\"zuko\" has rational-quadratic splines only");
    if (c.kind == SplineKind::cubic && c.bins < 2) d.reject("bins", "a cubic spline takes two bins or more");
    for (const SplineBox& b : boxes_)
      if (b.tails == SplineTails::circular) d.reject("spline", "only a rational-quadratic spline goes around a circle");
  }
  for (int64_t i = 0; i < d.columns(); ++i) per_ = std::max(per_, used(i));
}

int64_t SplineColumn::used(int64_t column) const {
  const SplineTails tails = box(column).tails;
  if (!rational_) return kernel::pieces_params(pieces_.pieces, pieces_.bins, tails);
  return 2 * shape_.bins + kernel::slope_count(shape_.bins, tails);
}

template <class T>
void SplineColumn::apply(const Column<T>& c, bool inverse) const {
  const kernel::SplineRows<T> rows{c.n, c.in, c.params, c.n};
  if (rational_)
    kernel::rational_spline<T>(shape_, box(c.column), inverse, rows, c.out, c.log_det);
  else
    kernel::pieces_spline<T>(pieces_, box(c.column), inverse, rows, c.out, c.log_det);
}

template <class T>
void SplineColumn::differentiate(const ColumnGrad<T>& c, bool inverse) const {
  const int64_t n = used(c.column);
  kernel::fill<T>(0, c.g_params + n * c.n, (per_ - n) * c.n);
  const kernel::SplineRows<T> rows{c.n, c.in, c.params, c.n};
  if (rational_)
    kernel::rational_spline_grad<T>(shape_, box(c.column), inverse, rows, c.g_out, c.g_log_det, c.g_in, c.g_params);
  else
    kernel::pieces_spline_grad<T>(pieces_, box(c.column), inverse, rows, c.g_out, c.g_log_det, c.g_in, c.g_params);
}

ColumnVars SplineColumn::expand(Tape& t, Var x, Var h, std::span<const int32_t> columns) const {
  const SplineBox** boxes = t.scratch<const SplineBox*>(static_cast<int64_t>(columns.size()));
  for (size_t j = 0; j < columns.size(); ++j) boxes[j] = &box(columns[j]);
  const SplineBoxes list(boxes, columns.size());
  return rational_ ? rational_spline(t, shape_, list, x, h) : pieces_spline(t, pieces_, list, x, h);
}

void SplineColumn::features(int32_t column, std::vector<ColumnFeature>& list) const {
  const SplineBox& b = box(column);
  if (b.tails != SplineTails::circular) {
    ColumnMap::features(column, list);
    return;
  }
  const double center = (b.low + b.high) / 2, factor = 2 * std::numbers::pi / (b.high - b.low);
  list.push_back({ColumnFeature::sine, column, center, factor});
  list.push_back({ColumnFeature::cosine, column, center, factor});
}

void SplineColumn::map(const RowScope&, const Column<float>& c, bool inverse) const { apply(c, inverse); }
void SplineColumn::map(const RowScope&, const Column<double>& c, bool inverse) const { apply(c, inverse); }
void SplineColumn::vjp(const RowScope&, const ColumnGrad<float>& c, bool inverse) const { differentiate(c, inverse); }
void SplineColumn::vjp(const RowScope&, const ColumnGrad<double>& c, bool inverse) const { differentiate(c, inverse); }

}  // namespace libnf
