// See redundant.h. A column is redundant if its least-squares fit by the columns before it leaves less than 1e-8 of its
// variance. The fits share one Cholesky factorization of the correlations (Golub & Van Loan 2013, section 4.2), in which
// such a column has a pivot near 0; it is left out of the factor, so that later columns are fitted by the others.
#include "src/cli/train/redundant.h"

#include <algorithm>
#include <cmath>

namespace cli {
namespace {
constexpr int64_t kMostColumns = 300, kMostRows = 5'000, kNamed = 4;
constexpr double kPivot = 1e-8;

// The columns of the table, each with mean 0 and length 1; constant and non-finite ones are empty.
std::vector<std::vector<double>> unit_columns(const Rows& rows) {
  const int64_t n = std::min(rows.count(), kMostRows), step = rows.count() / n;
  std::vector<std::vector<double>> all;
  for (int64_t c = 0; c < std::min(rows.cols(), kMostColumns); ++c) {
    std::vector<double> v;
    double mean = 0, squares = 0;
    for (int64_t r = 0; r < n; ++r) v.push_back(rows.at(r * step, c));
    for (const double x : v) mean += x / static_cast<double>(n);
    for (double& x : v) x -= mean, squares += x * x;
    if (!(squares > 1e-20 * mean * mean * static_cast<double>(n)) || !std::isfinite(squares)) v.clear();
    for (double& x : v) x /= std::sqrt(squares);
    all.push_back(std::move(v));
  }
  return all;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Solves L^T w = y, for the weights of the fit.
std::vector<double> solve_transposed(const std::vector<std::vector<double>>& l, std::vector<double> y) {
  for (size_t i = y.size(); i-- > 0;) {
    y[i] /= l[i][i];
    for (size_t j = 0; j < i; ++j) y[j] -= l[i][j] * y[i];
  }
  return y;
}
}  // namespace

std::vector<Redundant> redundant_columns(const Rows& rows) {
  if (rows.count() < 2 * rows.cols()) return {};
  const std::vector<std::vector<double>> columns = unit_columns(rows);
  std::vector<int64_t> kept;
  std::vector<std::vector<double>> factor;  // L, row by row
  std::vector<Redundant> found;
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].empty()) continue;
    std::vector<double> row;
    double pivot = 1;
    for (size_t i = 0; i < kept.size(); ++i) {
      double v = dot(columns[c], columns[static_cast<size_t>(kept[i])]);
      for (size_t j = 0; j < i; ++j) v -= factor[i][j] * row[j];
      row.push_back(v / factor[i][i]);
      pivot -= row[i] * row[i];
    }
    if (pivot > kPivot) {
      row.push_back(std::sqrt(pivot));
      factor.push_back(std::move(row));
      kept.push_back(static_cast<int64_t>(c));
      continue;
    }
    const std::vector<double> weights = solve_transposed(factor, row);
    Redundant r{static_cast<int64_t>(c), {}};
    for (size_t i = 0; i < weights.size(); ++i)
      if (std::abs(weights[i]) > 1e-3) r.of.push_back(kept[i]);
    if (static_cast<int64_t>(r.of.size()) > kNamed) r.of.clear();
    found.push_back(std::move(r));
  }
  return found;
}

}  // namespace cli
