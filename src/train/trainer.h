// Training, one step at a time. The same data and options give the same bits for any number of threads, and after
// saving and restoring. A step whose loss or gradient is not finite is not applied.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/objective/host_loss.h"
#include "src/train/trainer_config.h"
#include "src/train/update.h"

namespace libnf {

struct StepResult {
  uint64_t step;
  double loss, loss_error, grad_norm, lr;
  bool diverged = false;   // at this step the guard found that the run has diverged
  int32_t went_back = 0;   // how often it went back to the best state so far
  Drift drift = {};        // of inputs that Memory::invert rebuilt; the place is the layer
  size_t kept_inputs = 0;  // layers whose inputs it keeps
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

  // Layers that wait for data are initialized from the first batch. Throws Error{state} if the objective needs a target
  // and there is none, or while accumulated gradients wait. With guard "back", a step that is not finite is tried again
  // from the best state.
  StepResult step(const TrainingRows& rows);
  StepResult step(const View& x, const View& context, const View& weight, const View& scores = {}) {
    return step({x, context, weight, scores});
  }
  // Returns the objective on these rows without dropout, and its standard error over rows or samples (0 for a single
  // one). The samples are those of the next step. Changes nothing. Throws Error{state} while layers wait for data.
  Loss evaluate(const TrainingRows& rows);

  // Adds the parameter gradients of a loss of the host: any number of calls, then one step. For inverse cotangents the
  // rows are latents. A call is a step up to the gradient: layers that wait for data are initialized from the first
  // forward call, and layers that couple rows use the batch of the call and update their running statistics.
  void accumulate(const TrainingRows& rows, const HostCotangents& cotangents);
  // Takes a step with the accumulated gradient. Throws Error{state} if there is none. `loss` is reported unchanged.
  StepResult apply(double loss);
  void discard() { accumulated_ = 0; }
  uint64_t accumulated() const { return accumulated_; }  // calls whose gradients wait

  const Objective& objective() const { return *objective_; }
  // The target must have as many columns as the model, and the objective must use a target.
  void set_target(std::shared_ptr<const Target> target) { objective_->set_target(std::move(target)); }

  uint64_t steps() const { return step_; }
  const TrainerConfig& config() const { return config_; }
  const BatchCut& cut() const { return cut_; }
  size_t bytes() const;

  // Sets the rate that the schedule starts from, for the group with this `match`, for parameters of no group if it is "",
  // or for all if it is nullptr. Throws Error{argument}.
  void set_lr(const char* group, double lr);
  // Starts over from the present parameters. Moments that are kept continue as if there had been no restart.
  void restart(bool keep_moments);

  // Everything except the parameters that the next step depends on; see checkpoint.cc.
  struct State {
    uint64_t step = 0;
    uint64_t older_steps = 0;  // that the moments have seen before the last restart
    PlateauState plateau;
    BatchCut cut;
    std::vector<double> rates;  // of groups, the rest last; empty: those of the options
    std::string groups_json;    // option "groups" with these rates
    Divergence divergence;
    uint64_t kept_age = 0;             // steps that the moments of the kept state have seen
    bool keeps = false;                // there is a kept state
    std::vector<int64_t> kept_inputs;  // layers whose inputs Memory::invert keeps, because they drifted
  };
  State state() const;
  // Optimizer state, and the state that the guard goes back to.
  std::vector<std::pair<std::string, View>> state_tensors() const;
  std::string groups() const { return update_.describe(); }
  // Prepares a state for restore_state. Throws Error{argument} for rates that set_lr would refuse.
  State checked(State state) const;
  void restore_state(State state);
  void parameters_changed();  // call after the model's parameters were written from outside
  // Puts the averaged parameters into the model, or restores those of the last step, as step() does first. Throws
  // Error{state} if no average is kept.
  void use_average(bool on);
  bool averaged() const { return averaged_; }
  bool has_average() const { return update_.has_average(); }
  // Returns the layers whose inputs are kept because they could not be rebuilt (Memory::invert).
  std::vector<int64_t> kept_inputs() const;
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
  Loss run(Run& run, const Batch& batch, int64_t lanes);
  bool keep_drifting();
  void measure_again();
  void start(const Batch& batch);
  void fit_lanes(Run& run, int64_t batch);
  void put_back_parameters();
  Loss evaluate_samples(const Batch& batch);
  StepResult update(void* gradient, double norm, const Loss& loss);
  StepResult try_step(const TrainingRows& rows);
  bool goes_back() const { return config_.guard.guard == Guard::back; }
  bool can_go_back() const;
  void keep();
  void go_back();
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
  bool rates_set_ = false;  // rates differ from the options
  bool averaged_ = false;   // the model currently holds the average
  bool waits_ = true;       // some layer may not be initialized from data yet
  Buffer mirror_;           // transposed weights
  Update update_;
  std::vector<char> kept_inputs_;  // per layer, for Memory::invert
  Drift drift_;                    // of the last run
  Lanes lanes_;
  size_t tape_bytes_ = 0;  // size of the current tapes
  CotangentRows cotangents_;
  Divergence divergence_;
  Buffer
      kept_;  // all parameters, then state_tensors of the optimizer, at the best state; empty unless the guard goes back
  uint64_t kept_age_ = 0;
  bool keeps_ = false;              // kept_ has a state
  bool at_kept_ = false;            // no step was applied since the state was kept or restored
  Run run_;                         // of steps
  Run evaluation_;                  // of evaluate, if steps cannot do that
  Run host_[2];                     // of host losses: forward, inverse
  Objective* objective_ = nullptr;  // of steps
};

}  // namespace libnf
