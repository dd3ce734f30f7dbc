// See result.h.
#include "src/cli/run/result.h"

#include <cstdio>

#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {

int report_interrupt(const RunState& state, const std::string& checkpoint, const std::string& more) {
  std::fprintf(
      stderr,
      "nf: interrupted at step %s of %s; %s holds the whole state%s\n    run the same command with --resume to "
      "continue\n",
      grouped(static_cast<int64_t>(state.step)).c_str(), grouped(static_cast<int64_t>(state.planned)).c_str(),
      checkpoint.c_str(), more.c_str());
  return kInterrupted;
}

void warn_of_divergence(uint64_t step, double loss, int32_t went_back, bool goes_back) {
  const std::string what =
      went_back ? text("went back to the best state with a lower rate (%d%s time)", went_back,
                       went_back == 1   ? "st"
                       : went_back == 2 ? "nd"
                       : went_back == 3 ? "rd"
                                        : "th")
      : goes_back
          ? "there is no better state to go back to: try a lower --lr"
          : "try a lower --lr, --clip-norm 5, or --guard back, which goes back to the best state with a lower rate";
  std::fprintf(stderr,
               "nf: warning: the run diverges: at step %s the loss (%.4g) or its gradient has been far above its "
               "best for many steps; %s\n",
               grouped(static_cast<int64_t>(step)).c_str(), loss, what.c_str());
}

}  // namespace cli
