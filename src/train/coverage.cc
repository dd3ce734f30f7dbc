#include "src/train/coverage.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "src/model/rows.h"
#include "src/train/pareto.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> numbers_of(const View& v) {
  std::vector<double> out(static_cast<size_t>(v.shape[0]));
  for (size_t i = 0; i < out.size(); ++i) out[i] = scalar_at(v, static_cast<int64_t>(i));
  return out;
}

struct Moments {
  double mean = 0, error = 0;  // standard error of the mean
};

template <class F>
Moments moments(const std::vector<double>& w, F&& f) {
  const auto n = static_cast<double>(w.size());
  Moments m;
  for (const double v : w) m.mean += f(v) / n;
  double squares = 0;
  for (const double v : w) squares += (f(v) - m.mean) * (f(v) - m.mean);
  m.error = std::sqrt(squares / n / std::max(1.0, n - 1));
  return m;
}

double distance(double a, double b) { return std::sqrt(a * a + b * b); }

// Finds where a decreasing function changes its sign, from a place near it.
template <class F>
double root(double near, F&& f) {
  double low = near, high = near;
  for (double step = 1; f(low) < 0; step *= 2) low -= step;
  for (double step = 1; f(high) > 0; step *= 2) high += step;
  for (;;) {
    const double mid = low + 0.5 * (high - low);
    if (!(mid > low && mid < high)) return mid;
    (f(mid) > 0 ? low : high) = mid;
  }
}

// Returns the probability of `count` or more of the rows of the target above the largest weight of the samples, whose
// share of all is `share`. If the weights have a Pareto tail of shape k, the mass of the target up there is about
// share/(1 - k) times an exponential variable of mean 1, so the count has a geometric distribution.
double outside_probability(double count, double rows, double share, double k) {
  if (count == 0) return 1;
  const double shape = k > 0 ? std::min(k, 0.9) : 0;  // k is NaN for few samples
  const double mean = rows * share / (1 - shape);
  return std::pow(mean / (1 + mean), count);
}

}  // namespace

CoverageSummary coverage(const View& log_weight, const View& target_log_weight) {
  const std::vector<double> q = numbers_of(log_weight), p = numbers_of(target_log_weight);
  for (size_t i = 0; i < q.size(); ++i)
    if (!(q[i] < kInfinity)) fail_at(Code::numeric, {static_cast<int64_t>(i), -1}, "log_weight[%zu] is %g", i, q[i]);
  for (size_t i = 0; i < p.size(); ++i)
    if (!(p[i] > -kInfinity))
      fail_at(Code::numeric, {static_cast<int64_t>(i), -1},
              "target_log_weight[%zu] is %g, but a row of the target has a density above 0", i, p[i]);
  const double high = *std::max_element(q.begin(), q.end());
  if (high == -kInfinity) fail(Code::numeric, "all %zu weights are 0", q.size());

  CoverageSummary s;
  s.samples = static_cast<int64_t>(q.size()), s.target_samples = static_cast<int64_t>(p.size());
  const Moments weight = moments(q, [&](double w) { return std::exp(w - high); });
  const double alone = high + std::log(weight.mean);
  double beyond = 0, infinite = 0;
  for (const double w : p) beyond += w > high, infinite += w == kInfinity;
  const auto rows = static_cast<double>(p.size());
  s.outside = beyond / rows;
  s.outside_p = outside_probability(beyond, rows, 1 / (weight.mean * static_cast<double>(q.size())),
                                    pareto_smooth(system_allocator(), log_weight, {}));
  if (infinite == rows) {  // the proposal has density 0 at all of them
    s.log_z = s.deviation = s.forward_kl = kInfinity;
    return s;
  }
  // Given log Z, these are the probabilities that a row is from the target and from the proposal, if it is drawn from
  // all rows. Bennett equates the sum of the first over samples of the proposal with that of the second over rows of
  // the target.
  const double ratio = std::log(static_cast<double>(p.size()) / static_cast<double>(q.size()));
  const auto from_target = [&](double log_z) {
    return [=](double w) { return 1 / (1 + std::exp(log_z - w - ratio)); };
  };
  const auto from_proposal = [&](double log_z) {
    return [=](double w) { return 1 / (1 + std::exp(w + ratio - log_z)); };
  };
  s.log_z = root(alone, [&](double log_z) {
    double sum = 0;
    for (const double w : q) sum += from_target(log_z)(w);
    for (const double w : p) sum -= from_proposal(log_z)(w);
    return sum;
  });
  const Moments a = moments(q, from_target(s.log_z)), b = moments(p, from_proposal(s.log_z));
  s.log_z_error = distance(a.error / a.mean, b.error / b.mean);
  // Both estimates have the samples of the proposal in common, so much of their errors cancels.
  const Moments common =
      moments(q, [&](double w) { return from_target(s.log_z)(w) / a.mean - std::exp(w - high) / weight.mean; });
  const double off = s.log_z - alone, error = distance(common.error, b.error / b.mean);
  constexpr double kRounding = 1e-9;  // all weights may be equal
  s.deviation = std::abs(off) < kRounding ? 0 : off / error;
  const Moments kl = moments(p, [&](double w) { return w - s.log_z; });
  s.forward_kl = kl.mean;
  s.forward_kl_error = infinite > 0 ? kInfinity : distance(kl.error, s.log_z_error);
  return s;
}

}  // namespace libnf
