// Everything `nf train` needs before the first step: arguments, data in three parts, the model, the paths checked.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/cli/evaluate.h"
#include "src/cli/run_state.h"
#include "src/cli/settings.h"
#include "src/cli/text.h"

namespace nf::cli {

struct TrainArgs {
  std::string spec, output, checkpoint, curve;
  std::vector<std::string> overrides;
  DataPaths train, valid, test;
  double holdout = -1;  // not given
  uint64_t steps = 0, valid_every = 0, patience = 0;
  double epochs = 0;
  bool standardize = false, resume = false, force = false, quiet = false, json = false;
  std::shared_ptr<Settings> settings;
};

struct TrainPlan {
  Runtime runtime;
  Data train, valid, test;  // valid.x and test.x may be empty
  Model model;
  RunState state;
  int64_t held_out = 0;  // rows that validation took from the training data
  uint64_t seed = 0;
  uint64_t per_epoch = 0, steps = 0, valid_every = 0;
};

// Reads, checks, splits; builds the model, or on --resume loads it from the checkpoint.
TrainPlan plan_training(TrainArgs& args, const Screen& screen);
Batches make_batches(const TrainArgs& args, const TrainPlan& plan);

}  // namespace nf::cli
