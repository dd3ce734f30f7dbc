// Runs the steps of nf fit-target.
#pragma once
#include <functional>

#include "src/cli/fit_target/plan.h"
#include "src/cli/run/result.h"

namespace cli {

// Calls `on_ready` after all checks, before the first step. If the run reaches its end, the model has the averaged
// parameters, provided an average is kept.
RunResult run_fit(const FitArgs& args, FitPlan& plan, const Screen& screen, const std::function<void()>& on_ready);

}  // namespace cli
