// See neighbors.h.
#include "src/cli/check/neighbors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

namespace cli {
namespace {

constexpr size_t kNeighbors = 5;

double squared_distance(const double* a, const double* b, size_t cols) {
  double sum = 0;
  for (size_t j = 0; j < cols; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

// The nearest neighbors of all rows among the others. Ties are broken by a random order of the rows: without it, equal
// rows (discrete data) would favor those that come first.
std::vector<std::array<uint32_t, kNeighbors>> neighbors_of(const std::vector<double>& rows, size_t cols,
                                                           const std::vector<uint32_t>& order) {
  const size_t n = order.size();
  std::vector<std::array<uint32_t, kNeighbors>> out(n);
  for (size_t i = 0; i < n; ++i) {
    std::array<double, kNeighbors> best;
    best.fill(std::numeric_limits<double>::infinity());
    for (const uint32_t k : order) {
      if (k == i) continue;
      const double d = squared_distance(&rows[i * cols], &rows[k * cols], cols);
      if (!(d < best.back())) continue;
      size_t at = kNeighbors - 1;
      for (; at > 0 && d < best[at - 1]; --at) best[at] = best[at - 1], out[i][at] = out[i][at - 1];
      best[at] = d;
      out[i][at] = k;
    }
  }
  return out;
}

}  // namespace

size_t most_rows(size_t cols) {
  return std::clamp<size_t>(static_cast<size_t>(std::sqrt(2.5e8 / static_cast<double>(cols + 2))), 100, 2000);
}

Mixing mixing(const std::vector<double>& a, const std::vector<double>& b, size_t cols, uint64_t seed) {
  std::vector<double> rows = a;
  rows.insert(rows.end(), b.begin(), b.end());
  const size_t n = rows.size() / cols, first = a.size() / cols;
  if (first < kNeighbors + 1 || n - first < kNeighbors + 1) return {};
  std::mt19937_64 random(seed);
  std::vector<uint32_t> order(n);
  for (uint32_t i = 0; i < n; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  const auto near = neighbors_of(rows, cols, order);
  std::vector<char> label(n, 0);
  std::fill_n(label.begin(), first, char{1});
  const auto share = [&] {
    size_t same = 0;
    for (size_t i = 0; i < n; ++i)
      for (const uint32_t k : near[i]) same += label[i] == label[k];
    return static_cast<double>(same) / static_cast<double>(n * kNeighbors);
  };
  Mixing m;
  m.share = share();
  constexpr int kPermutations = 200;
  double sum = 0, squares = 0;
  for (int k = 0; k < kPermutations; ++k) {
    std::shuffle(label.begin(), label.end(), random);
    const double v = share();
    sum += v;
    squares += v * v;
  }
  const double mean = sum / kPermutations,
               deviation = std::sqrt(std::max(squares / kPermutations - mean * mean, 1e-12));
  m.p = 0.5 * std::erfc((m.share - mean) / deviation / std::sqrt(2.0));
  return m;
}

std::vector<double> nearest_distances(const std::vector<double>& from, const std::vector<double>& to, size_t cols) {
  std::vector<double> out;
  for (size_t i = 0; i * cols < from.size(); ++i) {
    double best = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k * cols < to.size(); ++k)
      best = std::min(best, squared_distance(&from[i * cols], &to[k * cols], cols));
    out.push_back(std::sqrt(best));
  }
  return out;
}

}  // namespace cli
