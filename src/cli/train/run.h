// Runs the steps of nf train; saves the best model and its checkpoint at validations.
#pragma once
#include <functional>

#include "src/cli/run/loop.h"
#include "src/cli/train/plan.h"

namespace cli {

// Calls `on_ready` after all checks, before the first step.
RunResult run_training(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
                       const std::function<void()>& on_ready);

}  // namespace cli
