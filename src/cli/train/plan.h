// Prepares `nf train` up to the first step: arguments, data in three parts, the model, checked paths.
#pragma once
#include <memory>
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/evaluate.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"
#include "src/cli/run/state.h"

namespace cli {

struct TrainArgs {
  std::string spec, output, checkpoint, curve;
  std::vector<std::string> overrides;
  std::vector<std::string> freeze;  // patterns of parameter names
  DataPaths train, valid, test;
  double holdout = -1;  // -1: not given
  std::string split, split_seed, split_out;
  uint64_t steps = 0, valid_every = 0, patience = 0;
  double epochs = 0;
  bool standardize = false, resume = false, resume_best = false, force = false, quiet = false, json = false;
  std::string best_state() const { return checkpoint + ".best"; }  // the checkpoint of the best validation
  std::string resumed() const { return resume_best ? best_state() : checkpoint; }
  std::shared_ptr<Settings> settings;
};

struct TrainPlan {
  nf::Runtime runtime{nullptr};
  Data train, valid, test;  // valid and test may be empty
  nf::Model model{nullptr};
  RunState state;
  double held_out = 0;        // fraction of --data used for validation
  bool large = false;         // --data is used in place, possibly larger than memory
  bool replaces = false;      // -o existed already
  std::vector<int8_t> parts;  // of each row of --data: 0 train, 1 valid, 2 test
  uint64_t seed = 0, split_seed = 0;
  uint64_t per_epoch = 0, steps = 0, valid_every = 0;
};

// Reads, checks and splits the data; builds the model, or loads it from the checkpoint with --resume.
TrainPlan plan_training(TrainArgs& args, const Screen& screen);
nf::Batches make_batches(const TrainArgs& args, const TrainPlan& plan);

}  // namespace cli
