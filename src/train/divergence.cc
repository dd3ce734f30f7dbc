#include "src/train/divergence.h"

#include <algorithm>
#include <cmath>

namespace libnf {
namespace {

constexpr double kKeep = 0.98;  // decay of the averages
constexpr double kWarmUp = 50;  // steps before averages mean something
constexpr double kNats = 1, kDeviations = 10, kPart = 0.1;
const double kRunawayFactor = std::log(1000.0);

}  // namespace

void GuardConfig::fields(Fields& f) {
  static constexpr const char* kGuard[] = {"off", "report", "back"};
  f.choice("guard",
           "when the loss stays far above its best, or the gradient norm runs away: nothing, report it, or go back to "
           "the best state with a lower rate, which takes memory for a copy of parameters and optimizer state",
           guard, kGuard);
  f.relevant(guard != Guard::off, "\"guard\": \"report\" or \"back\"");
  f.integer("guard_steps", "steps that the loss or the norm must be that high", guard_steps, 1, 1'000'000'000);
  f.relevant(guard == Guard::back, "\"guard\": \"back\"");
  f.real("guard_decay", "factor of the learning rate each time the guard goes back", guard_decay, 1e-3, 1);
  f.relevant(true);
}

bool Divergence::see(double loss, double norm, int64_t patience) {
  if (!std::isfinite(loss)) return false;  // a loss of the host, for information only
  State& s = state_;
  const auto average = [&](Field field, double value) { s[field] = kKeep * s[field] + (1 - kKeep) * value; };
  s[kSeen] += 1;
  average(kWeight, 1);
  average(kLoss, loss);
  const double mean = s[kLoss] / s[kWeight];
  average(kDeviation, std::abs(loss - mean));
  average(kNorm, std::log(std::max(norm, 1e-300)));
  if (s[kSeen] < kWarmUp) return false;
  const double deviation = s[kDeviation] / s[kWeight], log_norm = s[kNorm] / s[kWeight];
  if (s[kSeen] == kWarmUp && s[kReturns] == 0) s[kFirstNorm] = log_norm;
  if (mean < s[kBest]) s[kBest] = mean, s[kBestDeviation] = deviation;
  const double margin = std::max({kNats, kDeviations * s[kBestDeviation], kPart * std::abs(s[kBest])});
  s[kAbove] = mean - s[kBest] > margin ? s[kAbove] + 1 : 0;
  s[kRunaway] = log_norm - s[kFirstNorm] > kRunawayFactor ? s[kRunaway] + 1 : 0;
  if (s[kAbove] == 0 && s[kRunaway] == 0) s[kTold] = 0;
  if (s[kTold] != 0 || std::max(s[kAbove], s[kRunaway]) < static_cast<double>(patience)) return false;
  s[kTold] = 1;
  return true;
}

bool Divergence::is_valid(const State& s) {
  for (const double v : s)
    if (std::isnan(v)) return false;
  return s[kSeen] >= 0 && s[kWeight] >= 0 && s[kWeight] <= 1.001 && (s[kSeen] > 0) == (s[kWeight] > 0) &&
         s[kFactor] >= 0 && s[kFactor] <= 1 && s[kReturns] >= 0 && s[kReturns] <= kMostReturns;
}

bool Divergence::fell() {
  if (state_[kAbove] > 0 || state_[kRunaway] > 0 || !(state_[kBest] < state_[kKept])) return false;
  state_[kKept] = state_[kBest];
  return true;
}

void Divergence::went_back(double decay) {
  State fresh = start();
  for (const Field f : {kBest, kBestDeviation, kKept, kFirstNorm}) fresh[f] = state_[f];
  fresh[kFactor] = state_[kFactor] * decay;
  fresh[kReturns] = state_[kReturns] + 1;
  state_ = fresh;
}

}  // namespace libnf
