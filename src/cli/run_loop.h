// The steps of `nf train` and `nf fit-target` alike: sums up losses between points of the learning curve, keeps a
// checkpoint that the run can go on from, ends on Ctrl-C. What a step and a point are is the command's.
#pragma once
#include <string>

#include "src/cli/interrupts.h"
#include "src/cli/progress.h"
#include "src/cli/settings.h"

namespace nf::cli {

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
  // `every`: steps between points; the last step is one, too. `state` is that of the part before.
  RunLoop(nf_model* model, const Settings& settings, RunState state, std::string checkpoint, uint64_t every,
          const Screen& screen, bool quiet);

  // One step of trainer(), and the rows that it went over.
  virtual nf_step_info step(int64_t* rows) = 0;
  // Measures the model, with the averaged parameters if there are any, and shows what is found.
  virtual void point(CurvePoint& p) = 0;
  virtual void saved() {}  // the checkpoint of the point
  virtual bool stale() const { return false; }

  nf_trainer* trainer() const { return trainer_.get(); }
  RunState& state() { return state_; }
  const RunState& state() const { return state_; }
  Progress& progress() { return progress_; }
  double seconds() const { return earlier_ + progress_.seconds(); }  // of all parts
  void average(bool on);                                             // no change when no average is kept

 private:
  void one_step();
  void one_point();
  void checkpoint();

  nf_model* model_;
  Trainer trainer_;
  RunState state_;
  const std::string checkpoint_;
  const uint64_t every_;
  Progress progress_;
  const Interrupts interrupts_;
  const double earlier_;  // seconds
  const bool averages_;
  double lr_ = 0;
};

// What an interrupted command says, and its exit code.
int report_interrupt(const RunState& state, const std::string& checkpoint, const std::string& more);

}  // namespace nf::cli
