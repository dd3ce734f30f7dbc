// Shows the progress of a training run: one live line on a terminal, elsewhere one plain line per validation.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "src/cli/common/text.h"
#include "src/cli/run/state.h"

namespace cli {

class Progress {
 public:
  Progress(const Screen& screen, bool quiet, uint64_t first_step, uint64_t steps);
  ~Progress() { clear(); }
  void step(uint64_t step, double loss, int64_t rows);
  void validation(const CurvePoint& point, bool best);
  void loss(const CurvePoint& point);  // for nf fit-target, which has no validations
  // Adds `facts` to every line from now on: "anneal 0.42".
  void annotate(std::string facts) { annotation_ = std::move(facts); }
  void note(const std::string& line);  // prints a line above the live one
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
  std::string annotation_, starred_;  // starred_: printed number of the last new best
  double smooth_ = 0, weight_ = 0;    // exponential averages of the loss and of 1
  double valid_ = 0;
  bool validated_ = false, shown_ = false, headed_ = false;
};

}  // namespace cli
