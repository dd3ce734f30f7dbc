// Runs nf::fit for nf train; saves the best model at validations, and what a resumed command needs in checkpoints.
#pragma once
#include <functional>

#include "src/cli/run/result.h"
#include "src/cli/train/plan.h"

namespace cli {

// What nf::fit made of the rows and the settings.
struct Sizes {
  int64_t train_rows, valid_rows;
  uint64_t steps, per_epoch, valid_every;
  int64_t merged_rows;  // of an epoch's last batch, too short for batch_norm
};

// Calls `on_ready` after all checks, before the first step.
RunResult run_training(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
                       const std::function<void(const Sizes&)>& on_ready);

}  // namespace cli
