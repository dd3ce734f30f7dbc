// Checks of the transformation: round trips, log-det against derivatives, float32 against float64. See check.h.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "src/cli/check/check.h"
#include "src/cli/check/numbers.h"

namespace cli {
namespace {
constexpr auto kForward = nf::Direction::forward, kInverse = nf::Direction::inverse;
constexpr int64_t kJacobianRows = 8;
constexpr int64_t kFullJacobian = 512;  // columns; the cost grows with their cube
constexpr int64_t kDirections = 16;

// Judges a round trip: an error of a few hundred roundings is normal, a thousand times that is a broken inverse.
Verdict judge_round_trip(const CheckedModel& s, const Spread& e) {
  if (e.nonfinite) return Verdict::fail;
  if (e.p99 > 1e5 * s.epsilon()) return Verdict::fail;
  return e.max <= 1e4 * s.epsilon() ? Verdict::ok : Verdict::look;
}

Finding round_trip(const CheckedModel& s, const char* name, const std::vector<double>& from, bool inverse,
                   const std::vector<double>& context, const std::vector<double>& scale) {
  const CheckedModel::Mapped there = s.map(inverse ? kInverse : kForward, from, context),
                             back = s.map(inverse ? kForward : kInverse, there.to, context);
  const auto cols = static_cast<size_t>(s.info.event_size);
  std::vector<double> errors, cancel;
  double residual = 0;
  for (size_t r = 0; r * cols < from.size(); ++r) {
    double worst = 0;
    for (size_t j = 0; j < cols; ++j) {
      const double v = from[r * cols + j], off = std::abs(back.to[r * cols + j] - v),
                   error = off / std::max(std::abs(v), scale[j]);
      residual = std::max(residual, off / std::max(1.0, std::abs(v)));
      worst = std::isnan(error) || error > worst ? error : worst;
      if (std::isnan(worst)) break;
    }
    errors.push_back(worst);
    cancel.push_back(std::abs(there.log_det[r] + back.log_det[r]));
  }
  const Spread e = spread_of(errors), d = spread_of(cancel);
  Finding f{name, judge_round_trip(s, e), "error " + e.words(), {}};
  if (d.median > 0.1) f.verdict = Verdict::fail;
  if (d.max > 0.01 && f.verdict == Verdict::ok) f.verdict = Verdict::look;
  f.message += text("; the two log-dets cancel to %.1e", d.max);
  f.numbers = {{"rows", errors.size()}, {"error", e.json()}, {"log_det_sum", d.json()}};
  if (s.iterates) {  // absolute or relative like the tolerance of the iterations
    f.message += text("; residual of the iterative inverses %.1e", residual);
    f.numbers["residual"] = residual;
  }
  return f;
}

// Central differences: truncation error h^2, rounding error epsilon / h. The step is near the cube root of epsilon,
// where the two are about equal.
double numeric_log_det(const CheckedModel& s, const std::vector<double>& x, const std::vector<double>& context,
                       double step) {
  const size_t n = x.size();
  std::vector<double> jacobian(n * n);
  constexpr size_t kChunk = 64;
  for (size_t first = 0; first < n; first += kChunk) {
    const size_t count = std::min(kChunk, n - first);
    std::vector<double> points;
    std::vector<double> width(count);
    for (size_t j = 0; j < count; ++j)
      for (const double sign : {1.0, -1.0}) {
        points.insert(points.end(), x.begin(), x.end());
        double& moved = points[points.size() - n + first + j];
        const double h = step * std::max(std::abs(x[first + j]), s.spread[first + j]);
        moved += sign * h;
        width[j] += sign * moved;  // the actual step after rounding
      }
    const CheckedModel::Mapped m = s.map(kForward, points, context, true);
    for (size_t j = 0; j < count; ++j)
      for (size_t i = 0; i < n; ++i)
        jacobian[i * n + first + j] = (m.to[2 * j * n + i] - m.to[(2 * j + 1) * n + i]) / width[j];
  }
  return s.log_abs_det(jacobian);
}

// For models too wide for a full Jacobian: checks along random directions that the derivative of the inverse undoes
// that of the forward map.
Finding check_directions(const CheckedModel& s, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  const auto n = static_cast<size_t>(s.info.event_size);
  std::vector<double> errors, cancel;
  for (int64_t k = 0; k < kDirections; ++k) {
    const int64_t r = k * s.rows / kDirections;
    const std::vector<double> x = s.row(r), context = s.one_context(r);
    std::vector<double> v(n), points;
    double length = 0;
    for (size_t j = 0; j < n; ++j) {
      v[j] = normal(random) * s.spread[j];
      length += v[j] / s.spread[j] * (v[j] / s.spread[j]);
    }
    const double h = 1e-4;
    for (const double sign : {1.0, -1.0, 0.0})
      for (size_t j = 0; j < n; ++j) points.push_back(x[j] + sign * h * v[j]);
    const CheckedModel::Mapped z = s.map(kForward, points, context, true);
    // Map back the points at the same distance on the straight line through the two images.
    std::vector<double> images;
    for (const double sign : {1.0, -1.0})
      for (size_t j = 0; j < n; ++j) images.push_back(z.to[2 * n + j] + sign * (z.to[j] - z.to[n + j]) / 2);
    const CheckedModel::Mapped back = s.map(kInverse, images, context, true);
    double off = 0;
    for (size_t j = 0; j < n; ++j) {
      const double d = ((back.to[j] - back.to[n + j]) / (2 * h) - v[j]) / s.spread[j];
      off += d * d;
    }
    errors.push_back(std::sqrt(off / length));
    const CheckedModel::Mapped home =
        s.map(kInverse, {z.to.begin() + static_cast<int64_t>(2 * n), z.to.end()}, context, true);
    cancel.push_back(std::abs(z.log_det[2] + home.log_det[0]));
  }
  const Spread e = spread_of(errors), d = spread_of(cancel);
  Finding f{"log-det", Verdict::ok, {}, {}};
  if (e.nonfinite || d.nonfinite || e.median > 0.1 || d.max > 1)
    f.verdict = Verdict::fail;
  else if (e.median > 1e-3 || d.max > 1e-3)
    f.verdict = Verdict::look;
  f.message = text(
      "%s are too many for a full Jacobian: along %lld random directions, the derivatives of x -> z and z -> x cancel "
      "to %.1e and their log-dets to %.1e",
      counted(s.info.event_size, "column").c_str(), static_cast<long long>(kDirections), e.median, d.max);
  f.numbers = {{"directions", kDirections}, {"error", e.json()}, {"log_det_sum", d.json()}};
  return f;
}
}  // namespace

Finding check_round_trip_x(const CheckedModel& s) {
  return round_trip(s, "data -> z -> data", s.x, false, s.c, s.spread);
}

Finding check_round_trip_z(const CheckedModel& s, uint64_t seed) {
  const std::vector<double> context = s.contexts(s.rows);
  const CheckedModel::Samples samples = s.sample(s.rows, seed);
  const std::vector<double> z = s.map(kForward, samples.x, context).to;
  return round_trip(s, "z -> data -> z", z, true, context,
                    std::vector<double>(static_cast<size_t>(s.info.event_size), 1.0));
}

Finding check_jacobian(const CheckedModel& s, uint64_t seed) {
  if (s.info.event_size > kFullJacobian) return check_directions(s, seed);
  const int64_t rows = std::min<int64_t>(s.rows, kJacobianRows);
  std::vector<double> errors, doubts;
  int64_t kinks = 0;
  for (int64_t k = 0; k < rows; ++k) {
    const int64_t r = k * s.rows / rows;
    const std::vector<double> x = s.row(r), context = s.one_context(r);
    const double claimed = s.map(kForward, x, context, true).log_det[0];
    const double wide = numeric_log_det(s, x, context, 1e-5), narrow = numeric_log_det(s, x, context, 2e-6);
    // The two steps disagree if a kink (of relu, or of a spline's end) lies between the points; skip such rows.
    const double doubt = std::abs(wide - narrow);
    if (doubt > 1e-3 * std::max<double>(1, static_cast<double>(s.info.event_size) / 10)) {
      ++kinks;
      continue;
    }
    doubts.push_back(doubt);
    errors.push_back(std::min(std::abs(wide - claimed), std::abs(narrow - claimed)));
  }
  const Spread e = spread_of(errors), d = spread_of(doubts);
  Finding f{"log-det", Verdict::ok, {}, {}};
  const double unit = std::max<double>(1, static_cast<double>(s.info.event_size) / 10);
  if (e.nonfinite || (!errors.empty() && e.median > 1e-2 * unit))
    f.verdict = Verdict::fail;
  else if (errors.empty() || e.max > 1e-3 * unit)
    f.verdict = Verdict::look;
  f.message = errors.empty()
                  ? text("none of %lld rows gave a derivative to compare with: kinks, or too steep a map",
                         static_cast<long long>(rows))
                  : text("against numerical Jacobians (float64, central differences) at %s: off by at most %.1e",
                         counted(static_cast<int64_t>(errors.size()), "row").c_str(), e.max);
  if (kinks && !errors.empty()) f.message += text("; %s skipped because of a kink", counted(kinks, "row").c_str());
  f.numbers = {{"rows", errors.size()}, {"left_out", kinks}, {"error", e.json()}, {"uncertainty", d.json()}};
  return f;
}

Finding check_float32(const CheckedModel& s) {
  const CheckedModel::Mapped narrow = s.map(kForward, s.x, s.c), wide = s.map(kForward, s.x, s.c, true);
  std::vector<double> errors;
  for (size_t r = 0; r < narrow.log_det.size(); ++r) errors.push_back(std::abs(narrow.log_det[r] - wide.log_det[r]));
  const Spread e = spread_of(errors);
  Finding f{"float32", Verdict::ok, {}, {}};
  if (e.nonfinite || e.median > 0.1)
    f.verdict = Verdict::fail;
  else if (e.p99 > 0.01)
    f.verdict = Verdict::look;
  f.message = "log-det against the same model in float64: off by " + e.words();
  f.numbers = {{"rows", errors.size()}, {"error", e.json()}};
  return f;
}

// Checks the promise of nf.h that the bits of a row do not depend on the other rows.
Finding check_single_rows(const CheckedModel& s) {
  const std::vector<double> together = s.log_prob(s.x, s.c);
  int64_t differ = 0;
  const int64_t rows = std::min<int64_t>(s.rows, 32);
  for (int64_t k = 0; k < rows; ++k) {
    const int64_t r = k * s.rows / rows;
    const double alone = s.log_prob(s.row(r), s.one_context(r))[0];
    differ += std::memcmp(&alone, &together[static_cast<size_t>(r)], sizeof alone) != 0;
  }
  Finding f{"one row", differ ? Verdict::fail : Verdict::ok, {}, {{"rows", rows}, {"differ", differ}}};
  f.message = differ ? grouped(differ) + " of " + counted(rows, "row") + " scored alone have other bits than in a batch"
                     : text("%s scored alone: same bits as in a batch", counted(rows, "row").c_str());
  return f;
}

}  // namespace cli
