// The mean of log_prob over rows, some of which may have density 0. One such row makes the mean -infinity, so their number
// is counted and the mean of the others is kept beside it.
#pragma once
#include <limits>

#include "src/lane/weighted_mean.h"

namespace libnf {

struct ScoreSummary {
  int64_t rows = 0, outside = 0, first_outside = -1;  // of weight above 0; of density 0, and the first of these
  double mean = 0, error = 0;                         // -infinity and 0 with a row of density 0
  double inside_mean = 0, inside_error = 0;           // of the other rows; NaN without one
};

class ScoreMean {
 public:
  // log_prob is finite or -infinity; rows of weight 0 do not count.
  void add(double weight, double log_prob, int64_t row) {
    if (weight == 0) return;
    ++rows_;
    if (std::isfinite(log_prob)) {
      ++inside_;
      return mean_.add(weight, log_prob);
    }
    if (first_outside_ < 0) first_outside_ = row;
  }
  int64_t rows() const { return rows_; }
  ScoreSummary result() const {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    const MeanError m = inside_ > 0 ? mean_.result(Collective()) : MeanError{kNaN, kNaN};
    ScoreSummary s{rows_, rows_ - inside_, first_outside_, m.mean, m.error, m.mean, m.error};
    if (s.outside > 0) s.mean = -std::numeric_limits<double>::infinity(), s.error = 0;
    return s;
  }

 private:
  WeightedMean mean_;
  int64_t rows_ = 0, inside_ = 0, first_outside_ = -1;
};

}  // namespace libnf
