// Everything `nf fit-target` needs before the first step: arguments, target, model, rows of it for objective symmetric.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/cli/evaluate.h"
#include "src/cli/run_state.h"
#include "src/cli/settings.h"
#include "src/cli/target.h"
#include "src/cli/text.h"

namespace nf::cli {

struct FitArgs {
  std::string spec, target, output, checkpoint, curve;
  std::vector<std::string> overrides;
  DataPaths data;            // of objective symmetric
  uint64_t steps = 0;        // not given
  int64_t weighed = 100000;  // samples for the summary
  bool resume = false, force = false, quiet = false, json = false;
  std::shared_ptr<Settings> settings;
  bool speaks() const { return !quiet && !json; }
};

struct FitPlan {
  Runtime runtime;
  Model model;
  Target target;
  double log_z = 0;  // of the target: NaN when it is not known, infinity when there is none
  Data data;
  RunState state;
  int64_t samples = 0;    // of a step
  bool replaces = false;  // -o is there already
};

FitPlan plan_fit(FitArgs& args, const Screen& screen);

// The share of the target's log density that counts in the step after `step` steps: src/objective/target_sampler.h.
double anneal_share(const Settings& settings, uint64_t step);

}  // namespace nf::cli
