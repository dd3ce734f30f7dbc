// Prepares `nf fit-target` up to the first step: arguments, target, model, and rows of the target for objectives
// symmetric and fisher.
#pragma once
#include <memory>
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/evaluate.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/target.h"
#include "src/cli/common/text.h"
#include "src/cli/run/state.h"

namespace cli {

struct FitArgs {
  std::string spec, target, output, checkpoint, curve, check;
  std::vector<std::string> overrides;
  DataPaths data;                       // for objectives symmetric and fisher
  uint64_t steps = 0;                   // 0: not given
  int64_t importance_samples = 100000;  // for the summary
  bool smooth = false;                  // report numbers of smoothed weights
  bool resume = false, force = false, quiet = false, json = false;
  std::shared_ptr<Settings> settings;
  bool verbose() const { return !quiet && !json; }
};

struct FitPlan {
  nf::Runtime runtime{nullptr};
  nf::Model model{nullptr};
  nf::Target target{nullptr};
  double log_z = 0;  // of the target; NaN if unknown, infinity if it diverges
  Data data, check;  // rows to fit to, and rows to compare the samples' weights with
  RunState state;
  int64_t samples = 0;    // per step, or rows per step when nothing is drawn
  bool draws = true;      // whether the objective draws samples from the model
  bool replaces = false;  // -o exists already
};

FitPlan plan_fit(FitArgs& args, const Screen& screen);

// Returns the annealing factor of the target's log density in the step after `step` steps (src/objective/target_sampler.h).
double anneal_share(const Settings& settings, uint64_t step);

}  // namespace cli
