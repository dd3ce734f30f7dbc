// What nf train does at a step and at a validation: the best model, its checkpoint under a second name.
#pragma once
#include <functional>

#include "src/cli/run_loop.h"
#include "src/cli/train_plan.h"

namespace nf::cli {

// `on_ready` runs once everything is known to fit, before the first step.
RunResult run_training(const TrainArgs& args, const TrainPlan& plan, const Screen& screen,
                       const std::function<void()>& on_ready);

}  // namespace nf::cli
