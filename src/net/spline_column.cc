#include "src/net/spline_column.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/kernel/binary.h"

namespace nf {
namespace {

using kernel::SplineBox;
using kernel::SplineTails;

std::vector<SplineBox> boxes_of(const SplineConfig& c, const Declare& d) {
  constexpr SplineTails kTails[] = {SplineTails::linear, SplineTails::none, SplineTails::circular};
  std::vector<SplineBox> boxes(static_cast<size_t>(d.event));
  const std::vector<double> bound = {-c.bound, c.bound};
  const std::vector<double>& ends = c.interval.empty() ? bound : c.interval;
  if (ends.size() != 2 && ends.size() != 2 * boxes.size())
    d.reject("interval", "takes low, high for all columns, or low, high of every column one after the other");
  if (!c.circular.empty() && c.tails != SplineTailsKind::linear)
    d.reject("circular", "only with tails \"linear\", which the other columns have");
  if (!c.circular.empty() && c.circular.size() != boxes.size()) d.reject("circular", "takes a 0 or 1 for every column");
  for (size_t i = 0; i < boxes.size(); ++i) {
    SplineBox& b = boxes[i];
    const size_t at = ends.size() == 2 ? 0 : 2 * i;
    b.low = b.bottom = ends[at];
    b.high = b.top = ends[at + 1];
    // Knots need digits between them, in float32 too.
    if (!(b.high - b.low > 1e-3 * std::max(std::abs(b.low), std::abs(b.high))))
      d.reject("interval", "high must lie above low, by a thousandth of their size or more");
    b.tails = !c.circular.empty() && c.circular[i] ? SplineTails::circular : kTails[static_cast<size_t>(c.tails)];
  }
  return boxes;
}

}  // namespace

void SplineConfig::fields(Fields& f) {
  static constexpr const char* kTails[] = {"linear", "none", "circular"};
  static constexpr const char* kParameters[] = {"identity", "nflows", "zuko"};
  f.integer("bins", "number of bins", bins, 1, kernel::kMaxSplineBins);
  f.choice("tails",
           "outside of the interval: unchanged, with slope 1 at its ends; along the tangents of free slopes; or the "
           "interval is a circle",
           tails, kTails);
  f.integers("circular", "1 for every column that is a circle, 0 for the others, which have linear tails", circular, 0,
             1, INT32_MAX);
  f.real("bound", "the spline lives on [-bound, bound]", bound, 0.01, 20);
  f.reals("interval", "low, high in place of bound, for all columns or one pair after the other for each", interval,
          -1e6, 1e6, INT32_MAX);
  f.choice("parameters",
           "from raw numbers to slopes and sizes: zeros give the identity; softplus as in nflows; clipped exponentials "
           "as in zuko",
           parameters, kParameters);
  f.real("min_bin_width", "least width of a bin, as a share of the interval", min_bin_width, 1e-6, 0.1);
  f.real("min_bin_height", "least height of a bin, as a share of the interval", min_bin_height, 1e-6, 0.1);
  f.real("min_derivative", "least slope at a knot", min_derivative, 1e-6, 0.1);
}

SplineColumn::SplineColumn(const SplineConfig& c, const Declare& d, double raw_scale)
    : boxes_(boxes_of(c, d)), per_(0) {
  shape_.bins = c.bins;
  shape_.min_width = c.min_bin_width;
  shape_.min_height = c.min_bin_height;
  shape_.min_derivative = c.min_derivative;
  shape_.raw_scale = raw_scale;
  shape_.soft_clip = c.parameters == SplineParameters::zuko;
  // log(1 + e^0)/beta + min_derivative = 1
  if (c.parameters == SplineParameters::identity) shape_.beta = std::log(2.0) / (1 - c.min_derivative);
  const auto bins = static_cast<double>(c.bins);
  if (bins * c.min_bin_width >= 1) d.reject("min_bin_width", "bins times it must stay below 1");
  if (bins * c.min_bin_height >= 1) d.reject("min_bin_height", "bins times it must stay below 1");
  for (const SplineBox& b : boxes_) per_ = std::max(per_, 2 * c.bins + kernel::slope_count(c.bins, b.tails));
}

template <class T>
void SplineColumn::apply(const Column<T>& c, bool inverse) const {
  kernel::rational_spline<T>(shape_, box(c.column), inverse, {c.n, c.in, c.params, c.n}, c.out, c.log_det);
}

template <class T>
void SplineColumn::differentiate(const ColumnGrad<T>& c, bool inverse) const {
  const int64_t used = 2 * shape_.bins + kernel::slope_count(shape_.bins, box(c.column).tails);
  kernel::fill<T>(0, c.g_params + used * c.n, (per_ - used) * c.n);
  kernel::rational_spline_grad<T>(shape_, box(c.column), inverse, {c.n, c.in, c.params, c.n}, c.g_out, c.g_log_det,
                                  c.g_in, c.g_params);
}

void SplineColumn::map(const Column<float>& c, bool inverse) const { apply(c, inverse); }
void SplineColumn::map(const Column<double>& c, bool inverse) const { apply(c, inverse); }
void SplineColumn::vjp(const ColumnGrad<float>& c, bool inverse) const { differentiate(c, inverse); }
void SplineColumn::vjp(const ColumnGrad<double>& c, bool inverse) const { differentiate(c, inverse); }

}  // namespace nf
