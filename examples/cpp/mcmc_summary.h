// Effective sample sizes and R-hat of Markov chains (Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021): chains are
// split in halves and replaced by normal scores of their ranks, so that heavy tails do no harm.
#ifndef NF_EXAMPLES_MCMC_SUMMARY_H_
#define NF_EXAMPLES_MCMC_SUMMARY_H_
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace mcmc {

// The quantile function of the standard normal distribution, by Newton steps from a rough start.
inline double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1 - p);
  const double t = std::sqrt(-2 * std::log(p));
  double z = -(t - (2.515517 + 0.802853 * t) / (1 + 1.432788 * t + 0.189269 * t * t));
  for (int k = 0; k < 3; ++k)
    z -= (0.5 * std::erfc(-z / std::sqrt(2.0)) - p) * std::sqrt(2 * 3.14159265358979324) * std::exp(0.5 * z * z);
  return z;
}

struct Summary {
  double mean, sd, ess, r_hat;
};

// Summarizes one quantity. chains[c] has the draws of chain c, all of the same length.
inline Summary summarize(const std::vector<std::vector<double>> &chains) {
  const size_t half = chains[0].size() / 2, count = 2 * chains.size(), all = half * count;
  std::vector<double> flat;
  for (const auto &chain : chains) {
    flat.insert(flat.end(), chain.begin(), chain.begin() + static_cast<std::ptrdiff_t>(half));
    flat.insert(flat.end(), chain.end() - static_cast<std::ptrdiff_t>(half), chain.end());
  }
  const auto n = static_cast<double>(half), total = static_cast<double>(all);
  const auto mean_of = [](const double *v, size_t k) {
    return std::accumulate(v, v + k, 0.0) / static_cast<double>(k);
  };
  Summary s{mean_of(flat.data(), all), 0, 0, 0};
  for (const double v : flat) s.sd += (v - s.mean) * (v - s.mean) / (total - 1);
  s.sd = std::sqrt(s.sd);

  std::vector<size_t> order(all);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return flat[a] < flat[b]; });
  std::vector<double> score(all);
  for (size_t first = 0, end; first < all; first = end) {  // equal draws share their mean rank
    for (end = first + 1; end < all && flat[order[end]] <= flat[order[first]];) ++end;
    const double rank = 0.5 * static_cast<double>(first + end + 1);
    const double z = normal_quantile((rank - 0.375) / (total + 0.25));
    for (size_t i = first; i < end; ++i) score[order[i]] = z;
  }

  double within = 0, between = 0;
  std::vector<double> means(count);
  for (size_t c = 0; c < count; ++c) {
    means[c] = mean_of(&score[c * half], half);
    for (size_t i = 0; i < half; ++i) within += std::pow(score[c * half + i] - means[c], 2);
  }
  within /= (n - 1) * static_cast<double>(count);
  const double center = mean_of(means.data(), count);
  for (const double m : means) between += (m - center) * (m - center) / static_cast<double>(count - 1);
  const double variance = (n - 1) / n * within + between;
  s.r_hat = std::sqrt(variance / within);

  // Autocorrelations, until the sum of a pair of them is negative (Geyer 1992), made monotone.
  const auto correlation = [&](size_t lag) {
    double sum = 0;
    for (size_t c = 0; c < count; ++c) {
      const double *v = &score[c * half];
      for (size_t i = 0; i + lag < half; ++i) sum += (v[i] - means[c]) * (v[i + lag] - means[c]);
    }
    return 1 - (within - sum / (n - 1) / static_cast<double>(count)) / variance;
  };
  double time = -1, smallest = 1e300;
  for (size_t lag = 0; lag + 1 < half; lag += 2) {
    const double pair = (lag ? correlation(lag) : 1) + correlation(lag + 1);
    if (!(pair > 0)) break;
    smallest = std::min(smallest, pair);
    time += 2 * smallest;
  }
  s.ess = total / std::max(time, 1 / std::log10(total));
  return s;
}

}  // namespace mcmc
#endif  // NF_EXAMPLES_MCMC_SUMMARY_H_
