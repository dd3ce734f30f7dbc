// See two_sample.h.
#include "src/cli/check/two_sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cli {
namespace {

// Ranks from 0; equal values share the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t k = i; k < end; ++k) ranks[order[k]] = 0.5 * static_cast<double>(i + end - 1);
    i = end;
  }
  return ranks;
}

}  // namespace

double kolmogorov_tail(double x) {
  if (x < 0.2) return 1;  // 1 - 1e-12 or more
  double sum = 0, sign = 1;
  for (int k = 1; k <= 100; ++k, sign = -sign) {
    const double term = std::exp(-2 * x * x * k * k);
    sum += sign * term;
    if (term < 1e-17 * sum) break;
  }
  return std::clamp(2 * sum, 0.0, 1.0);
}

Distance compare(std::vector<double> a, std::vector<double> b) {
  if (a.empty() || b.empty()) return {};
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  Distance out;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double at = std::min(a[i], b[j]);
    while (i < a.size() && a[i] == at) ++i;
    while (j < b.size() && b[j] == at) ++j;
    out.d = std::max(out.d, std::abs(static_cast<double>(i) / n - static_cast<double>(j) / m));
  }
  const double size = std::sqrt(n * m / (n + m));
  out.p = kolmogorov_tail((size + 0.12 + 0.11 / size) * out.d);
  return out;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = ranks_of(a), y = ranks_of(b);
  const double mean = 0.5 * (static_cast<double>(x.size()) - 1);
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

double correlation_difference(double r, int64_t n, double q, int64_t m) {
  if (n < 4 || m < 4) return 1;
  const auto z = [](double v) { return std::atanh(std::clamp(v, -1 + 1e-9, 1 - 1e-9)); };
  const double variance = 1.06 / static_cast<double>(n - 3) + 1.06 / static_cast<double>(m - 3);
  return std::erfc(std::abs(z(r) - z(q)) / std::sqrt(2 * variance));
}

}  // namespace cli
