// Runs the steps of nf train; saves the best model and its checkpoint at validations.
#pragma once
#include <functional>

#include "src/cli/run_loop.h"
#include "src/cli/train_plan.h"

namespace nf::cli {

// Calls `on_ready` after all checks, before the first step.
RunResult run_training(const TrainArgs& args, const TrainPlan& plan, const Screen& screen,
                       const std::function<void()>& on_ready);

}  // namespace nf::cli
