// Training, one step at a time. The same data and options give the same bits for any number of threads, and after saving
// and restoring. A step whose loss or gradient is not finite is not applied.
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

  // Shapes are checked by the caller: x [n, event], n >= 1; context [n or 1, context] or no data; weight [n] or no
  // data; scores as x or no data. Layers that wait for data start from the first batch. Objectives without data: x and
  // weight have no data, context has 1 or objective().samples() rows. Error{state} when the objective needs a target and
  // there is none.
  StepResult step(const View& x, const View& context, const View& weight, const View& scores = {});

  const Objective& objective() const { return *objective_; }
  // Its columns are the model's; the objective must use one.
  void set_target(std::shared_ptr<const Target> target) { objective_->set_target(std::move(target)); }

  uint64_t steps() const { return step_; }
  const TrainerConfig& config() const { return config_; }
  const BatchCut& cut() const { return cut_; }
  size_t bytes() const;
  // Everything beside the parameters that the next step depends on; see checkpoint.cc.
  std::vector<std::pair<std::string, View>> state_tensors() const { return update_.state(); }
  std::string groups() const { return update_.describe(); }
  void restore_state(uint64_t step, const PlateauState& plateau, const BatchCut& cut);
  void parameters_changed();  // somebody else wrote the model's parameters
  // Puts the averaged parameters into the model, or takes the last step's back: step() does so first. Error{state}
  // when no average is kept.
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
  bool averaged_ = false;  // the model holds the average
  bool waits_ = true;      // some layer may not have started from data
  Buffer mirror_;          // transposed weights
  Update update_;
  Lanes lanes_;
  Room room_;  // that tapes have
  size_t tape_bytes_ = 0;
  std::unique_ptr<Objective> objective_;
};

}  // namespace nf
