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
  std::string weights, weight_column;  // as given; "" where it is a file
  std::string dequantize;              // columns, or "auto"
  bool columns_given = false;          // train.columns is the user's list
  uint64_t steps = 0, valid_every = 0, patience = 0;
  double epochs = 0;
  bool standardize = false, no_standardize = false, resume = false, resume_best = false, force = false, quiet = false,
       json = false;
  std::string best_state() const { return checkpoint + ".best"; }  // the checkpoint of the best validation
  std::string resumed() const { return resume_best ? best_state() : checkpoint; }
  std::shared_ptr<Settings> settings;
};

struct TrainPlan {
  nf::Runtime runtime{nullptr};
  Data train;        // with the rows that are held out of it
  Data valid, test;  // valid: of its own file; both may be empty
  Rows train_weight, valid_weight;
  nf::Model model{nullptr};
  RunState state;
  double held_out = 0;               // fraction of --data used for validation
  bool validates = false;            // there are validation rows
  std::vector<std::string> classes;  // that the context holds; empty if it is none of labels
  bool large = false;                // --data is used in place, possibly larger than memory
  bool replaces = false;             // -o existed already
  std::vector<float> parts;  // of each row of --data: 0 train, 1 valid, 2 test; empty: all train, or split by blocks
  uint64_t seed = 0, split_seed = 0;
  // What nf::fit takes; borrows this object.
  nf::Batch train_rows();
  nf::Batch valid_rows();

 private:
  std::vector<double> weights_[2];
};

// Reads, checks and splits the data; builds the model, or loads it from the checkpoint with --resume; sets the options of
// nf::fit.
TrainPlan plan_training(TrainArgs& args);

}  // namespace cli
