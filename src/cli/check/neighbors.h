// Nearest neighbors among rows: do samples mix with data, and do they repeat it?
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cli {

// Rows [n, cols] for which all pairs are compared in about a second.
size_t most_rows(size_t cols);

// The k-nearest-neighbor test of two samples (Schilling 1986): among the five nearest neighbors of the rows of both, the
// share that comes from the same sample. It is 1/2 if the two have one distribution.
struct Mixing {
  double share = 0.5;
  double p = 1;  // of a share at least this large under random labels, by the normal limit of 200 permutations
};
Mixing mixing(const std::vector<double>& a, const std::vector<double>& b, size_t cols, uint64_t seed);

// For every row of `from` the distance to the nearest row of `to`.
std::vector<double> nearest_distances(const std::vector<double>& from, const std::vector<double>& to, size_t cols);

}  // namespace cli
