// What a training run shows while it runs: on a terminal one live line, elsewhere one plain line per validation.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "src/cli/run_state.h"
#include "src/cli/text.h"

namespace nf::cli {

class Progress {
 public:
  Progress(const Screen& screen, bool quiet, uint64_t first_step, uint64_t steps);
  ~Progress() { clear(); }
  void step(uint64_t step, double loss, int64_t rows);
  void validation(const CurvePoint& point, bool best);
  void loss(const CurvePoint& point);  // of nf fit-target, which has no validations
  // Shown beside every loss from here on: "anneal 0.42".
  void beside(std::string facts) { beside_ = std::move(facts); }
  void note(const std::string& line);  // a line of its own, above the live one
  double rows_per_second() const;
  double seconds() const;

 private:
  void draw();
  void line(const CurvePoint& p, const std::string& facts);
  void clear();
  const Screen& screen_;
  const bool quiet_;
  const uint64_t first_, steps_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_;
  uint64_t step_;
  int64_t rows_ = 0;
  std::string beside_;
  double smooth_ = 0, weight_ = 0;  // exponential mean of the loss, and of 1
  double valid_ = 0;
  bool validated_ = false, shown_ = false, headed_ = false;
};

}  // namespace nf::cli
