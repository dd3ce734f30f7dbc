// What a run needs to continue beside its model and trainer, in the checkpoint: metadata "nf.fit" and the best weights,
// tensors "optimizer.best.NAME". Older versions read such a checkpoint and ignore both. Checkpoints of `nf train` before 0.3
// have neither: what they know of the run is in the note "run".
#pragma once
#include "src/io/file_bytes.h"
#include "src/io/json.h"
#include "src/train/fit.h"

namespace libnf {

struct FitState {
  double loss_sum = 0;  // of the steps since the last validation
  uint64_t loss_count = 0;
  uint64_t stale = 0;                                           // validations since the best
  uint64_t validated_at = 0;                                    // step of the last validation
  int64_t best_bad = 0;                                         // rows without a density in the best validation
  double best_rest = std::numeric_limits<double>::quiet_NaN();  // mean of the others
  bool best_elsewhere = false;  // the best weights are not known: `nf train` before 0.3 saved them in another file
  double seconds = 0;           // of all parts of the run
};

// What must not change between the parts of a run: settings and rows.
Json fixed_settings(const FitPlan& plan, const FitSplit& split);

// The numbers of a run as JSON.
Json written_state(const FitState& state, const FitInfo& info);

// Saves all of it.
void save_fit(const char* path, const Density& model, const Notes& notes, const Trainer& trainer, const Buffer& best,
              const Json& fixed, const FitState& state, const FitInfo& info, Extra extra);

// The file of a run that was saved.
class SavedFit {
 public:
  // Nothing to resume: exists() is false. Error{state} when the file is no checkpoint of a run.
  SavedFit(const Allocator& allocator, const char* path);
  bool exists() const { return exists_; }
  // Error{state} naming the first setting that differs; new_settings: other than those of the trainer.
  void check(const Json& fixed, bool new_settings) const;
  int64_t max_steps() const;  // of the trainer
  void restore(Density& model, Notes& notes, Trainer& trainer, const Buffer& best, FitState& state,
               FitInfo& info) const;

 private:
  void read_earlier(const std::string* note, const char* path);
  bool exists_ = false;
  FileBytes bytes_;
  Json json_;
};

}  // namespace libnf
