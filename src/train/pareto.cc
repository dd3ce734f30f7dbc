#include "src/train/pareto.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "runtime/core/checked.h"
#include "runtime/core/status.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kFewest = 5;  // weights that a fit needs

// Returns the largest k whose log likelihood is that of theta = -k/scale (Zhang & Stephens 2009, eq. 5).
double shape_at(double theta, const double* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::log1p(-theta * x[i]);
  return sum / static_cast<double>(n);
}

}  // namespace

int64_t pareto_tail_size(int64_t n) {
  const auto size = static_cast<double>(n);
  return static_cast<int64_t>(std::ceil(std::min({0.2 * size, 3 * std::sqrt(size), 1048576.0})));
}

double pareto_limit(double n) { return std::min(1 - 1 / std::log10(n), 0.7); }

ParetoFit fit_pareto(const double* x, int64_t n) {
  const auto size = static_cast<double>(n);
  const auto points = static_cast<int64_t>(30 + std::floor(std::sqrt(size)));
  const double quartile = x[static_cast<int64_t>(std::floor(size / 4 + 0.5)) - 1], most = x[n - 1];
  // theta is a mean over a grid, weighted by the likelihood.
  std::vector<double> theta(static_cast<size_t>(points)), likelihood(theta.size());
  double best = -kInfinity;
  for (size_t j = 0; j < theta.size(); ++j) {
    theta[j] = 1 / most + (1 - std::sqrt(static_cast<double>(points) / (static_cast<double>(j) + 0.5))) / 3 / quartile;
    const double k = shape_at(theta[j], x, n);
    likelihood[j] = size * (std::log(-theta[j] / k) - k - 1);
    if (likelihood[j] > best) best = likelihood[j];
  }
  double sum = 0, mean = 0;
  for (size_t j = 0; j < theta.size(); ++j) {
    if (std::isnan(likelihood[j])) continue;
    const double w = std::exp(likelihood[j] - best);
    sum += w, mean += w * theta[j];
  }
  mean /= sum;
  ParetoFit fit;
  fit.k = shape_at(mean, x, n);
  fit.scale = -fit.k / mean;
  constexpr double kPrior = 10;  // weights that the prior counts as
  fit.k = (fit.k * size + 0.5 * kPrior) / (size + kPrior);
  if (!std::isfinite(fit.k) || !(fit.scale > 0)) fit.k = kInfinity;
  return fit;
}

ParetoTail::ParetoTail(const Allocator& allocator, int64_t n)
    : n_(n),
      room_(pareto_tail_size(n) + 1),
      memory_(allocator, static_cast<size_t>(checked_mul(room_, sizeof(double))), "largest weights") {}

void ParetoTail::add(double log_weight) {
  double* heap = memory_.as<double>();  // the smallest first
  if (kept_ == room_) {
    if (!(log_weight > heap[0])) return;
    std::pop_heap(heap, heap + kept_, std::greater<>());
    --kept_;
  }
  heap[kept_++] = log_weight;
  std::push_heap(heap, heap + kept_, std::greater<>());
}

ParetoTail::Smoothed ParetoTail::smooth(double high) {
  Smoothed s;
  high_ = high;
  if (n_ < 25 || kept_ < room_) return s;
  double* w = memory_.as<double>();
  std::sort(w, w + kept_);
  floor_ = std::exp(w[0] - high);
  std::vector<double> excess;  // over the largest weight that is not in the tail, where it is above 0
  for (int64_t i = 0; i < kept_; ++i) {
    const double over = std::exp(w[i] - high) - floor_;
    if (over > 0)
      excess.push_back(over);
    else
      cutoff_ = w[i];
  }
  const auto count = static_cast<int64_t>(excess.size());
  if (count == 0 || excess.back() < 1e-12)  // differences in the last bits are no tail
    s.k = 0;
  else if (count < kFewest)
    s.k = kInfinity;
  else
    fit_ = fit_pareto(excess.data(), count), s.k = fit_.k;
  if (s.k == 0 || !std::isfinite(s.k)) return s;
  count_ = count;
  for (int64_t i = 0; i < count_; ++i) {
    const double raw = excess[static_cast<size_t>(i)] + floor_, smooth = std::exp(smoothed(i) - high);
    s.raw += raw, s.raw_squares += raw * raw;
    s.sum += smooth, s.squares += smooth * smooth;
  }
  return s;
}

// The quantile of the fit in the middle of the i-th of `count` equal parts; no weight becomes larger than the largest.
double ParetoTail::smoothed(int64_t i) const {
  const double log_rest = std::log1p(-(static_cast<double>(i) + 0.5) / static_cast<double>(count_));
  const double excess = fit_.scale * (fit_.k == 0 ? -log_rest : std::expm1(-fit_.k * log_rest) / fit_.k);
  return high_ + std::min(0.0, std::log(excess + floor_));
}

double pareto_smooth(const Allocator& allocator, const View& log_weight, const View& out) {
  const int64_t n = log_weight.shape[0];
  ParetoTail tail(allocator, n);
  double high = -kInfinity;
  for (int64_t i = 0; i < n; ++i) {
    const double w = scalar_at(log_weight, i);
    if (!(w < kInfinity)) fail(Code::numeric, "log_weight[%lld] is %g", static_cast<long long>(i), w);
    high = std::max(high, w);
    tail.add(w);
  }
  if (high == -kInfinity) fail(Code::numeric, "all %lld weights are 0", static_cast<long long>(n));
  const double k = tail.smooth(high).k;
  if (!out.data) return k;
  std::vector<int64_t> order;  // of the weights that change
  for (int64_t i = 0; tail.count() > 0 && i < n; ++i)
    if (scalar_at(log_weight, i) > tail.cutoff()) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return scalar_at(log_weight, a) < scalar_at(log_weight, b); });
  if (out.data != log_weight.data) copy_rows(log_weight, out);
  for (size_t i = 0; i < order.size(); ++i) {
    double value = tail.smoothed(static_cast<int64_t>(i));
    copy_rows(contiguous_view(&value, DType::f64, {1}), rows_of_view(out, order[i], 1));
  }
  return k;
}

}  // namespace libnf
