// Training, one step at a time. The same data and options give the same bits for any number of threads, and after saving
// and restoring. A step whose loss or gradient is not finite is not applied.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/objective/host_loss.h"
#include "src/train/trainer_config.h"
#include "src/train/update.h"

namespace nf {

struct StepResult {
  uint64_t step;
  double loss, loss_error, grad_norm, lr;
};

// Rows of the caller's memory. Shapes are checked by the caller: x [n, event], n >= 1; context [n or 1, context] or no
// data; weight [n] or no data; scores as x or no data. Objectives without data: x and weight have no data, context has 1
// or objective().samples() rows.
struct TrainingRows {
  View x, context, weight, scores;
  const int64_t* numbers = nullptr;  // what messages call the rows; nullptr: 0, 1, ...
};

class Trainer {
 public:
  // `executor` and `model` must outlive the trainer.
  Trainer(const Allocator& allocator, Executor& executor, Density& model, const TrainerConfig& config,
          const Collective& collective);

  // Layers that wait for data start from the first batch. Error{state} when the objective needs a target and there is
  // none, and while gradients of the host wait.
  StepResult step(const TrainingRows& rows);
  StepResult step(const View& x, const View& context, const View& weight, const View& scores = {}) {
    return step({x, context, weight, scores});
  }
  // The objective on these rows, without dropout, and its standard error over rows or samples (0 for a single one).
  // Samples are those of the next step. Changes nothing. Error{state} while layers wait for data.
  Loss evaluate(const TrainingRows& rows);

  // Gradients of the host: any number of calls, then one step. Rows are latents when the cotangents say inverse. Every
  // call is a step up to the gradient: layers that wait for data start from the first rows of a forward call, and layers
  // that couple rows see the batch of the call and move their running statistics.
  void accumulate(const TrainingRows& rows, const HostCotangents& cotangents);
  // A step with what was accumulated; Error{state} when nothing was. `loss` is reported as it is.
  StepResult apply(double loss);
  void discard() { accumulated_ = 0; }
  uint64_t accumulated() const { return accumulated_; }  // calls whose gradients wait

  const Objective& objective() const { return *objective_; }
  // Its columns are the model's; the objective must use one.
  void set_target(std::shared_ptr<const Target> target) { objective_->set_target(std::move(target)); }

  uint64_t steps() const { return step_; }
  const TrainerConfig& config() const { return config_; }
  const BatchCut& cut() const { return cut_; }
  size_t bytes() const;

  // The rate that the schedule starts from: of the group whose `match` that is, of all parameters that no group matches
  // for "", or of all groups for nullptr. Error{argument}.
  void set_lr(const char* group, double lr);
  // Starts over from the present parameters. Moments that are kept continue as if there had been no restart.
  void restart(bool keep_moments);

  // Everything beside the parameters that the next step depends on; see checkpoint.cc.
  struct State {
    uint64_t step = 0;
    uint64_t older_steps = 0;  // that the moments have seen before the last restart
    PlateauState plateau;
    BatchCut cut;
    std::vector<double> rates;  // of groups, the rest last; empty: those of the options
    std::string groups_json;    // option "groups" with these rates
  };
  State state() const;
  std::vector<std::pair<std::string, View>> state_tensors() const { return update_.state(); }
  std::string groups() const { return update_.describe(); }
  // What restore_state takes: Error{argument} for rates that set_lr would refuse.
  State checked(State state) const;
  void restore_state(State state);
  void parameters_changed();  // somebody else wrote the model's parameters
  // Puts the averaged parameters into the model, or takes the last step's back: step() does so first. Error{state}
  // when no average is kept.
  void use_average(bool on);
  bool averaged() const { return averaged_; }
  bool has_average() const { return update_.has_average(); }
  const PlateauState& plateau() const { return plateau_; }
  void observe_validation(double loss) {
    if (config_.schedule.kind == ScheduleKind::plateau) observe(config_.schedule, plateau_, loss);
  }

 private:
  // An objective and what tapes need for it.
  struct Run {
    std::unique_ptr<Objective> objective;
    Room room;  // that tapes have
    size_t tape_bytes = 0;
  };
  Batch batch_of(const TrainingRows& rows) const;
  ObjectiveScope scope(const ObjectiveKind& kind) const {
    return {kind, allocator_, model_, config_.memory, collective_, cut_};
  }
  void weigh(Batch& batch) const;
  void start(const Batch& batch);
  void fit_lanes(Run& run, int64_t batch);
  void put_back_parameters();
  Loss evaluate_samples(const Batch& batch);
  StepResult update(void* gradient, double norm, const Loss& loss);
  static std::vector<double> rates_of(const TrainerConfig& config);
  void check_rates(const std::vector<double>& rates) const;
  std::string groups_with(const std::vector<double>& rates) const;
  void set_rates(const std::vector<double>& rates, std::string groups_json);

  Allocator allocator_;
  Executor& executor_;
  Density& model_;
  TrainerConfig config_;
  const TrainerConfig options_;  // as the trainer was made
  Collective collective_;
  BatchCut cut_;
  uint64_t step_ = 0, older_steps_ = 0, accumulated_ = 0;
  PlateauState plateau_;
  bool rates_set_ = false;  // they are not those of the options
  bool averaged_ = false;   // the model holds the average
  bool waits_ = true;       // some layer may not have started from data
  Buffer mirror_;           // transposed weights
  Update update_;
  Lanes lanes_;
  size_t tape_bytes_ = 0;  // of the tapes that there are
  CotangentRows cotangents_;
  Run run_, evaluation_, host_[2];  // of steps; of rows to evaluate, when that is another; of host losses, both directions
  Objective* objective_ = nullptr;  // of steps
};

}  // namespace nf
