// A whole training run: rows in two parts, steps, validations, patience, the best weights, checkpoints to continue from.
// The same data and settings give the same bits for any number of threads, and for a run that stopped and was resumed.
#pragma once
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "src/model/session.h"
#include "src/train/batches.h"
#include "src/train/checkpoint.h"

namespace libnf {

struct FitConfig : Config {
  int64_t steps = 0;  // 0: by epochs, or 4000
  double epochs = 0;  // 0: by steps
  double holdout = 0.1;
  int64_t split_seed = 0;
  int64_t patience = 0;     // 0: never
  int64_t valid_every = 0;  // 0: one epoch, but 16 to 64 times in a run
  std::string checkpoint, resume_from;
  bool resume = false, new_settings = false, keep_best = false, announce = false, restore_best = true;
  void fields(Fields& f) override;
};

struct FitPlan {
  // valid.x without data: the validation rows are a part of `data`, if config.holdout is above 0.
  Batches::Streams data, valid;
  View part;  // [n] of data, or without data: 0 = train, 1 = validate, other numbers = neither; replaces config.holdout
  // Split by blocks of batches.part.block rows instead of row by row: for files that do not fit into memory. The part of
  // the blocks that is used is split.
  bool by_blocks = false;
  FitConfig config;
  TrainerConfig trainer;
  struct {
    int64_t batch = 256;
    Order order = Order::shuffle;
    uint64_t seed = 0;
    Part part;
    int64_t smallest = 1;
    bool flip = false;  // mirror images left to right at random while training
  } batches;
  SessionOptions session;
};

enum class FitStop : uint8_t { none, finished, patience, requested };

struct FitInfo {
  bool validated = false, improved = false;
  bool point = false;  // a checkpoint follows
  FitStop stop = FitStop::none;
  uint64_t step = 0, planned = 0, best_step = 0, steps_per_epoch = 0, valid_every = 0;
  int64_t train_rows = 0, valid_rows = 0;
  int64_t batch_rows = 0;              // of the last step
  uint64_t diverged_at = 0;            // last step at which the guard found the run diverged
  int32_t went_back = 0;               // how often the guard went back
  int64_t merged_rows = 0;             // see Batches::merged
  int64_t bad_rows = 0, bad_row = -1;  // validation rows without a finite log_prob: how many, and the first
  double valid_rest = std::numeric_limits<double>::quiet_NaN();      // mean log_prob of the other validation rows
  double loss = 0, train = 0, valid = 0, valid_error = 0, best = 0;  // the last three NaN before the first validation
  double lr = 0, grad_norm = 0, seconds = 0;
};

// What the caller takes part in; each may be empty.
struct FitHooks {
  std::function<bool(const FitInfo&)> progress;  // true stops the run
  std::function<void()> before_read;             // rows of the data are about to be read
  std::function<void(int64_t)> after_read;       // so many were
  std::function<void()> changed;                 // the model's parameters
  std::function<Extra()> extra;                  // of checkpoints
};

// The rows that a run trains on and validates with.
struct FitSplit {
  Selection train;
  std::optional<Selection> valid;
};
// Of plan.data. Row by row, rows of weight 0 are in neither part, and no part of a split is empty. Error{shape} when the
// rows are too few or plan.part leaves none to train on, Error{argument} for weights that are negative, not finite or all 0.
FitSplit split_rows(const FitPlan& plan);

// Trains the model and leaves the weights of the best validation in it, or the last ones (averaged, if the trainer keeps
// an average). On an error during the run it has the best so far.
FitInfo fit(const Allocator& allocator, Executor& executor, Density& model, Notes& notes, const FitPlan& plan,
            const FitHooks& hooks);

}  // namespace libnf
