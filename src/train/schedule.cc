// Learning-rate schedules; formulas and conventions in schedule.h.
#include "src/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "src/train/check_fields.h"

namespace libnf {
namespace {

using Kind = ScheduleKind;
constexpr const char* kKinds[] = {"constant", "cosine", "step", "exponential", "polynomial", "plateau"};
constexpr int64_t kMaxSteps = std::numeric_limits<int64_t>::max();

}  // namespace

void ScheduleConfig::fields(Fields& f) {
  f.choice("schedule", "learning rate over the steps", kind, kKinds);
  const auto only = [&](std::initializer_list<Kind> kinds) {
    f.relevant(std::find(kinds.begin(), kinds.end(), kind) != kinds.end(),
               std::string("\"schedule\": \"") + kKinds[static_cast<size_t>(kind)] + "\"");
  };
  only({Kind::cosine, Kind::polynomial});
  f.integer("schedule_steps", "length in steps after the warm-up; 0: the rest of the run", schedule_steps, 0,
            kMaxSteps);
  only({Kind::cosine, Kind::polynomial, Kind::plateau});
  f.real("lr_end", "rate at the end; plateau: the lowest rate", lr_end, 0, 1e3);
  only({Kind::step});
  f.integer("decay_every", "steps between decays", decay_every, 1, kMaxSteps);
  only({Kind::step, Kind::exponential, Kind::plateau});
  f.real("decay", "factor of one decay", decay, 1e-6, 1);
  only({Kind::polynomial});
  f.real("power", "exponent: 1 is linear", power, 1e-3, 100);
  only({Kind::plateau});
  f.integer("patience", "number of validations without improvement that are tolerated", patience, 0, 1'000'000'000);
  f.real("threshold", "smallest decrease of the loss that counts as an improvement", threshold, 0, 1e9);
  f.relevant(true);
  f.integer("warmup_steps", "steps of linear warm-up before the schedule", warmup_steps, 0, kMaxSteps);
  f.real("warmup_start", "rate at step 0 of the warm-up, as a fraction of lr", warmup_start, 0, 1);
}

void check(const ScheduleConfig& config, double base_lr) {
  check_fields(config);
  if (config.lr_end > base_lr) fail(Code::spec, "lr_end = %.9g is above lr = %.9g", config.lr_end, base_lr);
}

ScheduleConfig resolve(ScheduleConfig config, int64_t max_steps) {
  if (config.schedule_steps == 0)
    config.schedule_steps = max_steps > config.warmup_steps ? max_steps - config.warmup_steps : 1;
  return config;
}

double learning_rate(const ScheduleConfig& config, double base_lr, uint64_t step) {
  const auto warmup = static_cast<uint64_t>(config.warmup_steps);
  if (step < warmup) {
    const double done = static_cast<double>(step) / static_cast<double>(warmup);
    return base_lr * (config.warmup_start + (1 - config.warmup_start) * done);
  }
  const uint64_t t = step - warmup;
  const double span = base_lr - config.lr_end;
  const auto length = static_cast<uint64_t>(std::max<int64_t>(1, config.schedule_steps));  // 0 if not resolved
  switch (config.kind) {
    case Kind::constant:
    case Kind::plateau:
      return base_lr;
    case Kind::cosine: {
      // reduced modulo the period first, because pi t loses digits for large t
      const double phase = static_cast<double>(t % (2 * length)) / static_cast<double>(length);
      return config.lr_end + span * (1 + std::cos(std::numbers::pi * phase)) / 2;
    }
    case Kind::step:
      return base_lr * std::pow(config.decay, static_cast<double>(
                                                  t / static_cast<uint64_t>(std::max<int64_t>(1, config.decay_every))));
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
  if (++state.bad <= static_cast<uint64_t>(config.patience)) return false;
  state.bad = 0;
  state.factor *= config.decay;
  return true;
}

double learning_rate(const ScheduleConfig& config, double base_lr, uint64_t step, const PlateauState& state) {
  const double rate = learning_rate(config, base_lr, step);
  if (config.kind != Kind::plateau || state.factor == 1) return rate;
  return std::max(std::min(config.lr_end, rate), rate * state.factor);
}

}  // namespace libnf
