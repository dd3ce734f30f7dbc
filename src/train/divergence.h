// Watches the losses and gradient norms of a run for divergence: a loss that stays far above its best, or a gradient norm
// that runs away from that of the first steps. A pure function of the steps, so that it is the same for any number of
// threads and after a restart.
//
// Both are averaged over about 50 steps. A loss is far above its best when it exceeds it by a nat, by ten times its usual
// deviation and by a tenth of its absolute value; a norm runs away when it is a thousand times what it was at first.
#pragma once
#include <array>
#include <cstdint>
#include <limits>

#include "src/part/config.h"

namespace libnf {

enum class Guard : uint8_t { off, report, back };

struct GuardConfig : Config {
  Guard guard = Guard::report;
  int64_t guard_steps = 200;
  double guard_decay = 0.5;
  void fields(Fields& f) override;
};

class Divergence {
 public:
  static constexpr int32_t kMostReturns = 8;  // to the best state, in a run

  // Called after each applied step. Returns true at the step where the run is found to diverge, once until it recovers.
  bool see(double loss, double norm, int64_t patience);
  // The average has fallen since the last call of this function that returned true.
  bool fell();
  // The run is back at its best state, with rates scaled by `decay`.
  void went_back(double decay);

  double factor() const { return state_[kFactor]; }  // of learning rates
  int32_t returns() const { return static_cast<int32_t>(state_[kReturns]); }

  // The whole state, for checkpoints.
  enum Field : uint8_t {
    kSeen,
    kWeight,
    kLoss,
    kDeviation,
    kNorm,
    kFirstNorm,
    kBest,
    kBestDeviation,
    kAbove,
    kRunaway,
    kTold,
    kKept,
    kFactor,
    kReturns,
    kFields
  };
  using State = std::array<double, kFields>;
  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }
  // Returns whether steps could have led to this state, as far as learning rates depend on it.
  static bool is_valid(const State& state);

 private:
  static constexpr State start() {
    State s{};
    s[kBest] = s[kKept] = std::numeric_limits<double>::infinity();
    s[kFactor] = 1;
    return s;
  }
  State state_ = start();
};

}  // namespace libnf
