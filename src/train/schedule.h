// The learning rate as a pure function of the step, counted from 0: the rate of update number step + 1.
//   constant     base
//   cosine       lr_end + (base - lr_end) (1 + cos(pi t / schedule_steps)) / 2, periodic beyond schedule_steps
//   step         base decay^floor(t / decay_every)
//   exponential  base decay^t
//   polynomial   lr_end + (base - lr_end) (1 - t / schedule_steps)^power, then lr_end
//   plateau      base times a factor that shrinks by decay when the validation loss stops falling, see observe()
// Each can be preceded by a linear warm-up: for step < warmup_steps the rate is base (f + (1 - f) step / warmup_steps)
// with f = warmup_start; then the schedule begins, with t = step - warmup_steps. Accuracy: that of libm in double.
#pragma once
#include <cstdint>
#include <limits>

#include "src/part/config.h"

namespace libnf {

enum class ScheduleKind : uint8_t { constant, cosine, step, exponential, polynomial, plateau };

struct ScheduleConfig : Config {
  ScheduleKind kind = ScheduleKind::constant;
  int64_t schedule_steps = 0;  // 0: what is left of the run after the warm-up; resolve() fills it in
  double lr_end = 0;
  int64_t decay_every = 1000;
  double decay = 0.5;
  double power = 1;
  int64_t patience = 10;
  double threshold = 1e-4;
  int64_t warmup_steps = 0;
  double warmup_start = 0;
  void fields(Fields& f) override;
};

// Checks bounds, options that the kind ignores, and that lr_end is not above the base rate.
void check(const ScheduleConfig& config, double base_lr);

// Replaces schedule_steps = 0 for a run of max_steps, so that the schedule ends with the run.
ScheduleConfig resolve(ScheduleConfig config, int64_t max_steps);

// Returns the rate for a resolved configuration; for plateau, the rate before any observation.
double learning_rate(const ScheduleConfig& config, double base_lr, uint64_t step);

// The whole state of plateau, which checkpoints save.
struct PlateauState {
  double best = std::numeric_limits<double>::infinity();
  double factor = 1;
  uint64_t bad = 0;  // observations without improvement since the last improvement or decay
};

// Records a new validation loss (lower is better). An improvement is a decrease of more than `threshold` below the best
// loss, in absolute terms, because relative changes mean nothing for log-likelihoods, which cross zero. After more than
// `patience` observations without improvement, the factor is multiplied by decay. NaN is not an improvement. Returns
// true if the factor changed.
bool observe(const ScheduleConfig& config, PlateauState& state, double loss);

// Returns the rate for any kind, plateau included; never below lr_end.
double learning_rate(const ScheduleConfig& config, double base_lr, uint64_t step, const PlateauState& state);

}  // namespace libnf
