// Pareto smoothed importance sampling (Vehtari, Simpson, Gelman, Yao & Gabry 2024). The largest weights are fitted by a
// generalized Pareto distribution. Its shape k says how many moments the distribution of the weights has: above 1 it has
// no mean, above 1/2 no variance. The largest weights may be replaced by quantiles of the fit.
#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include "runtime/core/allocator.h"
#include "runtime/core/view.h"

namespace libnf {

// Returns how many of n weights are the tail: 3 sqrt(n), at most n/5 and 2^20.
int64_t pareto_tail_size(int64_t n);

struct ParetoFit {
  double k = 0, scale = 0;
};

// Fits the excesses over a threshold, x[0] <= ... <= x[n - 1], all > 0 (Zhang & Stephens 2009, with a weak prior on k
// around 1/2 as in Vehtari et al., appendix G).
ParetoFit fit_pareto(const double* x, int64_t n);

// Returns min(1 - 1/log10(n), 0.7): with a larger k, estimates of n weights have errors of unknown size.
double pareto_limit(double n);

// Keeps the largest of a stream of log weights.
class ParetoTail {
 public:
  ParetoTail(const Allocator& allocator, int64_t n);
  void add(double log_weight);

  struct Smoothed {
    // Infinity if fewer than 5 weights stand out of the rest, so that there is no tail to fit; 0 if all weights of the
    // tail are equal; NaN if there are fewer than 25 weights.
    double k = std::numeric_limits<double>::quiet_NaN();
    // Sums of exp(log weight - high) and of its square over the tail, as it was and as quantiles of the fit; equal if k
    // is 0 or not finite.
    double raw = 0, raw_squares = 0, sum = 0, squares = 0;
  };
  // high is the largest log weight. Reorders the tail.
  Smoothed smooth(double high);

  // After smooth(): the count() log weights above cutoff() are smoothed; number i of them in increasing order becomes
  // smoothed(i).
  double cutoff() const { return cutoff_; }
  int64_t count() const { return count_; }
  double smoothed(int64_t i) const;

 private:
  int64_t n_, room_;  // weights in the stream, and how many are kept: the tail and the one before it
  int64_t kept_ = 0, count_ = 0;
  double cutoff_ = 0, floor_ = 0, high_ = 0;
  ParetoFit fit_;
  Buffer memory_;
};

// Writes the smoothed log weights of log_weight [n], n >= 1, to `out` [n] if it has data, and returns k. Weights that are
// not finite are 0 if -infinity, else Error{numeric}. `out` may be log_weight.
double pareto_smooth(const Allocator& allocator, const View& log_weight, const View& out);

}  // namespace libnf
