// Learning-rate schedules; formulas and conventions in schedule.h.
#include "src/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nf {
namespace {

using Kind = ScheduleKind;
using C = ScheduleConfig;

constexpr const char* kKinds[] = {"constant", "cosine", "step", "exponential", "polynomial", "plateau"};
constexpr uint32_t kHasLength = kinds({Kind::cosine, Kind::polynomial});
constexpr uint32_t kHasEnd = kinds({Kind::cosine, Kind::polynomial, Kind::plateau});
constexpr uint32_t kDecays = kinds({Kind::step, Kind::exponential, Kind::plateau});

constexpr Field<C> kFields[] = {
    field<&C::kind>("schedule", "learning rate over the steps", 0, std::size(kKinds) - 1, 0, kEveryKind, kKinds),
    field<&C::schedule_steps>("schedule_steps", "length after the warm-up; 0: the rest of the run", 0, kMaxInteger, 0,
                              kHasLength),
    field<&C::lr_end>("lr_end", "rate at the end; plateau: the least rate", 0, 1e3, 0, kHasEnd),
    field<&C::decay_every>("decay_every", "steps between decays", 1, kMaxInteger, 1000, kinds({Kind::step})),
    field<&C::decay>("decay", "factor of one decay", 1e-6, 1, 0.5, kDecays),
    field<&C::power>("power", "exponent: 1 is linear", 1e-3, 100, 1, kinds({Kind::polynomial})),
    field<&C::patience>("patience", "validations without improvement that are tolerated", 0, 1e9, 10,
                        kinds({Kind::plateau})),
    field<&C::threshold>("threshold", "least fall of the loss that counts as improvement", 0, 1e9, 1e-4,
                         kinds({Kind::plateau})),
    field<&C::warmup_steps>("warmup_steps", "steps of linear warm-up before the schedule", 0, kMaxInteger, 0),
    field<&C::warmup_start>("warmup_start", "rate at step 0 of the warm-up, as a share of lr", 0, 1, 0),
};

}  // namespace

std::span<const Field<ScheduleConfig>> schedule_fields() { return kFields; }

void check(const ScheduleConfig& config, double base_lr) {
  check_fields(schedule_fields(), config);
  if (config.lr_end > base_lr) fail(Code::spec, "lr_end = %.9g is above lr = %.9g", config.lr_end, base_lr);
}

ScheduleConfig resolve(ScheduleConfig config, uint64_t max_steps) {
  if (config.schedule_steps == 0)
    config.schedule_steps = max_steps > config.warmup_steps ? max_steps - config.warmup_steps : 1;
  return config;
}

double learning_rate(const ScheduleConfig& config, double base_lr, uint64_t step) {
  if (step < config.warmup_steps) {
    const double done = static_cast<double>(step) / static_cast<double>(config.warmup_steps);
    return base_lr * (config.warmup_start + (1 - config.warmup_start) * done);
  }
  const uint64_t t = step - config.warmup_steps;
  const double span = base_lr - config.lr_end;
  const uint64_t length = std::max<uint64_t>(1, config.schedule_steps);  // 0: not resolved
  switch (config.kind) {
    case Kind::constant:
    case Kind::plateau:
      return base_lr;
    case Kind::cosine: {
      // reduced first: pi t loses digits for large t
      const double phase = static_cast<double>(t % (2 * length)) / static_cast<double>(length);
      return config.lr_end + span * (1 + std::cos(std::numbers::pi * phase)) / 2;
    }
    case Kind::step:
      return base_lr * std::pow(config.decay, static_cast<double>(t / std::max<uint64_t>(1, config.decay_every)));
    case Kind::exponential:
      return base_lr * std::pow(config.decay, static_cast<double>(t));
    case Kind::polynomial: {
      const uint64_t left = t < length ? length - t : 0;
      return config.lr_end + span * std::pow(static_cast<double>(left) / static_cast<double>(length), config.power);
    }
  }
  fail(Code::internal, "schedule kind %d has no formula", static_cast<int>(config.kind));
}

bool observe(const ScheduleConfig& config, PlateauState& state, double loss) {
  if (loss < state.best - config.threshold) {
    state.best = loss;
    state.bad = 0;
    return false;
  }
  if (++state.bad <= config.patience) return false;
  state.bad = 0;
  state.factor *= config.decay;
  return true;
}

double learning_rate(const ScheduleConfig& config, double base_lr, uint64_t step, const PlateauState& state) {
  const double rate = learning_rate(config, base_lr, step);
  if (config.kind != Kind::plateau || state.factor == 1) return rate;
  return std::max(std::min(config.lr_end, rate), rate * state.factor);
}

}  // namespace nf
