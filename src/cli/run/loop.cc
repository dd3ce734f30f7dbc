// See loop.h.
#include "src/cli/run/loop.h"

#include <cmath>
#include <cstdio>

#include "src/cli/common/failure.h"

namespace cli {
RunLoop::RunLoop(nf::Model& model, const Settings& settings, RunState state, std::string checkpoint, uint64_t every,
                 const Screen& screen, bool quiet)
    : model_(model),
      trainer_(as_usage([&] { return nf::Trainer(model, settings.options({"trainer"})); })),
      state_(std::move(state)),
      checkpoint_(std::move(checkpoint)),
      every_(every),
      progress_(screen, quiet, state_.step, state_.planned),
      earlier_(state_.seconds),
      averages_(settings.number("trainer.ema_decay", 0) > 0) {}

RunResult RunLoop::run() {
  RunResult result;
  result.stopped_early = stale();
  while (state_.step < state_.planned && !result.stopped_early) {
    if (Interrupts::requested()) {
      checkpoint();
      result.interrupted = true;
      break;
    }
    one_step();
    if (state_.step % every_ != 0 && state_.step != state_.planned) continue;
    one_point();
    checkpoint();
    saved();
    result.stopped_early = stale();
  }
  result.rows_per_second = progress_.rows_per_second();
  result.state = state_;
  return result;
}

void RunLoop::average(bool on) {
  if (averages_) trainer_.use_average(on);
}

void RunLoop::one_step() {
  int64_t rows = 0;
  const nf::StepInfo info = step(&rows);
  ++state_.step;
  state_.loss_sum += info.loss;
  ++state_.loss_count;
  lr_ = info.lr;
  progress_.step(state_.step, info.loss, rows);
}

void RunLoop::one_point() {
  CurvePoint p;
  p.step = state_.step;
  p.train = -state_.loss_sum / static_cast<double>(state_.loss_count);
  p.valid = std::nan("");
  p.lr = lr_;
  p.seconds = seconds();
  state_.loss_sum = 0;
  state_.loss_count = 0;
  average(true);  // evaluate the parameters that are kept
  point(p);
  average(false);
  state_.curve.push_back(p);
}

void RunLoop::checkpoint() {
  state_.seconds = seconds();
  write_state(model_, state_);
  trainer_.save(checkpoint_);
}

int report_interrupt(const RunState& state, const std::string& checkpoint, const std::string& more) {
  std::fprintf(
      stderr,
      "nf: interrupted at step %s of %s; %s holds the whole state%s\n    run the same command with --resume to "
      "continue\n",
      grouped(static_cast<int64_t>(state.step)).c_str(), grouped(static_cast<int64_t>(state.planned)).c_str(),
      checkpoint.c_str(), more.c_str());
  return kInterrupted;
}

}  // namespace cli
