// Training by data, by a target or by both (objective.h), one step at a time. The same data and options give the same bits for any number of
// threads, and after saving and restoring. A step whose loss or gradient is not finite is not applied.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/executor.h"
#include "src/model/flow_model.h"
#include "src/train/clip.h"
#include "src/train/collective.h"
#include "src/train/ema.h"
#include "src/train/lanes.h"
#include "src/train/objective.h"
#include "src/train/optimizer.h"
#include "src/train/phases.h"
#include "src/train/schedule.h"
#include "src/train/variational.h"

namespace nf {

struct TrainerConfig {
  OptimizerConfig optimizer = default_optimizer();
  ScheduleConfig schedule = default_schedule();
  ClipConfig clip = default_clip();
  EmaConfig ema = default_ema();
  ObjectiveConfig objective = default_objective();
  Memory memory = Memory::full;
  uint64_t seed = 0;       // of dropout and of samples
  uint64_t max_steps = 0;  // what schedules with an end aim at
};

struct StepResult {
  uint64_t step;
  double loss, loss_error, grad_norm, lr;
};

class Trainer {
 public:
  // `executor` and `model` must outlive the trainer.
  Trainer(const Allocator& allocator, Executor& executor, FlowModel& model, const TrainerConfig& config,
          const Collective& collective);

  // Shapes are checked by the caller: x [n, event], n >= 1; context [n or 1, context] or no data; weight [n] or no
  // data. Layers that wait for data start from the first batch. Objectives without data: x and weight have no data,
  // context has 1 or objective.samples rows. Error{state} when the objective needs a target and there is none.
  StepResult step(const View& x, const View& context, const View& weight);

  // Its columns are the model's; the objective must use one.
  void set_target(std::shared_ptr<const Target> target) { variational_.set_target(std::move(target)); }

  uint64_t steps() const { return step_; }
  const TrainerConfig& config() const { return config_; }
  size_t bytes() const;
  // Everything beside the parameters that the next step depends on; see checkpoint.cc.
  std::vector<std::pair<std::string, View>> state_tensors() const;
  void restore_state(uint64_t step, const PlateauState& plateau, const BatchCut& cut);
  const BatchCut& cut() const { return cut_; }
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
  bool phased() const { return phases_.needed() && uses_data(config_.objective.kind); }
  void need_lanes(int64_t batch);
  size_t measure(int64_t rows);
  double weigh(const View& weight, int64_t n, double* counting);
  void run_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows);
  void run_lane(Lane& lane, int64_t index, int64_t lanes, const Batch& batch);
  double sum_gradients(int64_t lanes);
  void update(double lr, double factor);
  void swap_average();
  std::string blame(Lane& lane, const Batch& batch, int64_t row);
  [[noreturn]] void report_nonfinite(const Batch& batch);

  Allocator allocator_;
  Executor& executor_;
  FlowModel& model_;
  TrainerConfig config_;
  Collective collective_;
  BatchCut cut_;
  uint64_t step_ = 0;
  PlateauState plateau_;
  Buffer mirror_;
  std::vector<Buffer> slots_;
  Buffer average_;  // of the parameters; while averaged_, the parameters themselves
  bool averaged_ = false;
  std::vector<std::unique_ptr<Lane>> lanes_;
  size_t arena_bytes_ = 0;
  int64_t arena_rows_ = 0;  // that a lane's arena has room for
  int64_t arena_samples_ = 0;
  Phases phases_;
  Variational variational_;
  bool waits_ = true;  // some layer may not have started from data
  Buffer row_loss_;    // doubles, one per row of the batch
  Buffer row_weight_;  // likewise, of models that train in phases
  Buffer partials_;    // doubles, one per chunk of the gradient
};

}  // namespace nf
