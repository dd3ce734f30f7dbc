// Training, one step at a time. The same data and options give the same bits for any number of threads, and after
// saving and restoring. A step whose loss or gradient is not finite is not applied.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/train/trainer_config.h"
#include "src/train/update.h"

namespace nf {

struct StepResult {
  uint64_t step;
  double loss, loss_error, grad_norm, lr;
};

class Trainer {
 public:
  // `executor` and `model` must outlive the trainer.
  Trainer(const Allocator& allocator, Executor& executor, Density& model, const TrainerConfig& config,
          const Collective& collective);

  // The caller checks shapes: x [n, event], n >= 1; context [n or 1, context] or no data; weight [n] or no data; scores
  // as x or no data. Layers that wait for data are initialized from the first batch. For objectives without data, x and
  // weight have no data, and context has 1 or objective().samples() rows. Throws Error{state} if the objective needs a
  // target and there is none.
  StepResult step(const View& x, const View& context, const View& weight, const View& scores = {});

  const Objective& objective() const { return *objective_; }
  // The target must have as many columns as the model, and the objective must use a target.
  void set_target(std::shared_ptr<const Target> target) { objective_->set_target(std::move(target)); }

  uint64_t steps() const { return step_; }
  const TrainerConfig& config() const { return config_; }
  const BatchCut& cut() const { return cut_; }
  size_t bytes() const;
  // Returns everything except the parameters that the next step depends on; see checkpoint.cc.
  std::vector<std::pair<std::string, View>> state_tensors() const { return update_.state(); }
  std::string groups() const { return update_.describe(); }
  void restore_state(uint64_t step, const PlateauState& plateau, const BatchCut& cut);
  void parameters_changed();  // call after the model's parameters were written from outside
  // Puts the averaged parameters into the model, or restores those of the last step, as step() does first. Throws
  // Error{state} if no average is kept.
  void use_average(bool on);
  bool averaged() const { return averaged_; }
  const PlateauState& plateau() const { return plateau_; }
  void observe_validation(double loss) {
    if (config_.schedule.kind == ScheduleKind::plateau) observe(config_.schedule, plateau_, loss);
  }

 private:
  void weigh(Batch& batch) const;
  void start(const Batch& batch);
  void fit_lanes(int64_t batch);

  Allocator allocator_;
  Executor& executor_;
  Density& model_;
  TrainerConfig config_;
  Collective collective_;
  BatchCut cut_;
  uint64_t step_ = 0;
  PlateauState plateau_;
  bool averaged_ = false;  // the model currently holds the average
  bool waits_ = true;      // some layer may not be initialized from data yet
  Buffer mirror_;          // transposed weights
  Update update_;
  Lanes lanes_;
  Room room_;  // room of the current tapes
  size_t tape_bytes_ = 0;
  std::unique_ptr<Objective> objective_;
};

}  // namespace nf
