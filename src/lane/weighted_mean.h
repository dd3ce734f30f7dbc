// A weighted mean and its standard error in one pass, in double: the sums are of differences to the first number, so that
// a large mean costs no digits. Numbers are added in the order of the calls.
#pragma once
#include <cmath>

#include "src/lane/collective.h"

namespace libnf {

struct MeanError {
  double mean, error;
};

class WeightedMean {
 public:
  // weight >= 0; numbers of weight 0 do not count.
  void add(double weight, double value) {
    if (weight == 0) return;
    if (count_ == 0) shift_ = std::isfinite(value) ? value : 0;
    const double d = value - shift_, w2 = weight * weight;
    count_ += 1;
    weight_ += weight;
    sum_ += weight * d;
    w2_ += w2;
    w2d_ += w2 * d;
    w2d2_ += w2 * d * d;
  }
  // Of the numbers of all ranks; the error is that of independent numbers, 0 for a single one. Error{argument} when the
  // weights are all 0.
  MeanError result(const Collective& collective) const {
    double sums[3] = {count_, weight_, sum_ + weight_ * shift_};
    if (collective.world > 1) collective.sum(sums, 3, DType::f64, "mean of the rows");
    if (!(sums[1] > 0)) fail(Code::argument, "all weights are zero");
    const double mean = collective.world > 1 ? sums[2] / sums[1] : shift_ + sum_ / weight_, m = mean - shift_;
    double squares = w2d2_ - 2 * m * w2d_ + m * m * w2_;  // of weight times deviation
    if (collective.world > 1) collective.sum(&squares, 1, DType::f64, "spread of the rows");
    const double n = sums[0];
    return {mean, n > 1 ? std::sqrt(std::max(squares, 0.0) * n / (n - 1)) / sums[1] : 0};
  }

 private:
  double count_ = 0, shift_ = 0, weight_ = 0, sum_ = 0, w2_ = 0, w2d_ = 0, w2d2_ = 0;
};

}  // namespace libnf
