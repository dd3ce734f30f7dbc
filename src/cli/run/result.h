// How a run of `nf train` or `nf fit-target` ended.
#pragma once
#include <string>

#include "src/cli/run/state.h"

namespace cli {

struct RunResult {
  RunState state;
  double rows_per_second = 0;  // of this part of the run
  bool interrupted = false, stopped_early = false;
};

// Reports the interruption and returns the exit code.
int report_interrupt(const RunState& state, const std::string& checkpoint, const std::string& more);

// Warns that the guard of the trainer found the run diverging at this step, and says what happened or what helps.
void warn_of_divergence(uint64_t step, double loss, int32_t went_back, bool goes_back);

}  // namespace cli
