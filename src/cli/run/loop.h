// The training loop of `nf train` and `nf fit-target`: averages losses between points of the learning curve, keeps a
// checkpoint to resume from, stops on Ctrl-C. The commands define what a step and a point do.
#pragma once
#include <string>

#include "src/cli/common/settings.h"
#include "src/cli/run/interrupts.h"
#include "src/cli/run/progress.h"

namespace cli {

struct RunResult {
  RunState state;
  double rows_per_second = 0;  // of this part of the run
  bool interrupted = false, stopped_early = false;
};

class RunLoop {
 public:
  virtual ~RunLoop() = default;
  RunResult run();

 protected:
  // `every` is the number of steps between points; the last step is always a point. `state` is that of the previous
  // part.
  RunLoop(nf::Model& model, const Settings& settings, RunState state, std::string checkpoint, uint64_t every,
          const Screen& screen, bool quiet);

  // Takes one step of trainer() and sets the number of rows it used.
  virtual nf::StepInfo step(int64_t* rows) = 0;
  // Evaluates the model, with the averaged parameters if there are any, and prints the result.
  virtual void point(CurvePoint& p) = 0;
  virtual void saved() {}  // called after the checkpoint of a point
  virtual bool stale() const { return false; }

  nf::Trainer& trainer() { return trainer_; }
  RunState& state() { return state_; }
  const RunState& state() const { return state_; }
  Progress& progress() { return progress_; }
  double seconds() const { return earlier_ + progress_.seconds(); }  // of all parts
  void average(bool on);                                             // no-op if no average is kept

 private:
  void one_step();
  void one_point();
  void checkpoint();

  nf::Model& model_;
  nf::Trainer trainer_;
  RunState state_;
  const std::string checkpoint_;
  const uint64_t every_;
  Progress progress_;
  const Interrupts interrupts_;
  const double earlier_;  // seconds
  const bool averages_;
  double lr_ = 0;
};

// Reports the interruption and returns the exit code.
int report_interrupt(const RunState& state, const std::string& checkpoint, const std::string& more);

}  // namespace cli
