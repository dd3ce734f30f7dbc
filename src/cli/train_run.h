// The training loop: steps, validations, the best model, checkpoints, Ctrl-C.
#pragma once
#include <functional>

#include "src/cli/train_plan.h"

namespace nf::cli {

struct TrainResult {
  RunState state;
  double seconds = 0, rows_per_second = 0;  // of this part of the run
  bool interrupted = false, stopped_early = false;
};

// `on_ready` runs once everything is known to fit, before the first step.
TrainResult run_training(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
                         const std::function<void()>& on_ready);

}  // namespace nf::cli
