// The steps of nf fit-target.
#pragma once
#include <functional>

#include "src/cli/fit_plan.h"
#include "src/cli/run_loop.h"

namespace nf::cli {

// `on_ready` runs once everything is known to fit, before the first step. Afterwards the model of a run that reached
// its end has the averaged parameters, where an average is kept.
RunResult run_fit(const FitArgs& args, const FitPlan& plan, const Screen& screen,
                  const std::function<void()>& on_ready);

}  // namespace nf::cli
