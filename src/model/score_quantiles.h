// Quantiles of the scores (log_prob) of training rows, which say how unusual the score of another row is. They are kept
// in a note of the model, with the hash of the parameters that gave the scores.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace libnf {

class ScoreQuantiles {
 public:
  // Error{numeric} for NaN and +infinity, Error{argument} without scores.
  static ScoreQuantiles of(std::vector<double> scores);
  // Error{state} if the text is not one that written() returned for these parameters.
  static ScoreQuantiles parse(const std::string& note, uint64_t hash);
  std::string written(uint64_t hash) const;  // JSON

  double quantile(double p) const;  // 0 <= p <= 1; linear between the kept levels
  double rank(double score) const;  // the fraction of lower scores; NaN for NaN
  int64_t rows() const { return rows_; }

  static constexpr char kNote[] = "score_quantiles";

 private:
  int64_t rows_ = 0;
  std::vector<double> scores_;  // at levels(), ascending
};

}  // namespace libnf
