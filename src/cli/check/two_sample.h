// Tests of whether two samples come from one distribution, with p-values that hold for their sizes.
#pragma once
#include <cstdint>
#include <vector>

namespace cli {

struct Distance {
  double d = 0;  // the largest difference of the two empirical distribution functions, in [0, 1]
  double p = 1;  // probability of a difference at least this large if both samples have one distribution
};

// Kolmogorov & Smirnov's test of two samples, with the asymptotic distribution of d (Numerical Recipes, 14.3; accurate
// from about four values each on). Ties are handled: for discrete values p is an upper bound. Infinite values are
// ordered, NaN must not occur. An empty sample gives {0, 1}.
Distance compare(std::vector<double> a, std::vector<double> b);

// P(K > x) of Kolmogorov's distribution.
double kolmogorov_tail(double x);

// Spearman's rank correlation of n pairs, ties with their mean rank; 0 if one of the two is constant.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

// Two-sided p-value of two rank correlations of n and m pairs being equal (Fisher's transformation with the variance
// 1.06 / (n - 3) of Fieller, Hartley & Pearson 1957).
double correlation_difference(double r, int64_t n, double q, int64_t m);

}  // namespace cli
