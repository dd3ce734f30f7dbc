// See run.h.
#include "src/cli/fit_target/run.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "src/cli/common/failure.h"
#include "src/cli/run/interrupts.h"
#include "src/cli/run/progress.h"

namespace cli {
namespace {
constexpr uint64_t kPoints = 20;  // maximum number of points of the learning curve

// The training loop of nf fit-target: nf_fit takes rows of data, and most objectives with a target have none.
class FitLoop {
 public:
  FitLoop(const FitArgs& args, FitPlan& plan, const Screen& screen)
      : args_(args),
        plan_(plan),
        trainer_(as_usage([&] { return nf::Trainer(plan.model, args.settings->options({"trainer"})); })),
        state_(plan.state),
        every_((plan.state.planned + kPoints - 1) / kPoints),
        progress_(screen, !args.verbose(), state_.step, state_.planned),
        earlier_(state_.seconds),
        averages_(args.settings->number("trainer.ema_decay", 0) > 0),
        anneals_(args.settings->number("trainer.anneal_steps", 0) > 0) {
    trainer_.set_target(plan.target);
    if (args.resume) trainer_.restore(args.checkpoint);
    if (!plan.data.x) return;
    Settings settings = *args.settings;
    settings.set("batches.batch", std::to_string(std::min(plan.samples, plan.data.x.count())));
    batches_.emplace(plan.runtime, plan.data.x.view(), settings.options({"batches"}));
  }

  RunResult run() {
    RunResult result;
    while (state_.step < state_.planned) {
      if (Interrupts::requested()) {
        checkpoint();
        result.interrupted = true;
        break;
      }
      step();
      if (state_.step % every_ != 0 && state_.step != state_.planned) continue;
      point();
      checkpoint();
    }
    if (!result.interrupted && averages_) trainer_.use_average(true);
    result.rows_per_second = progress_.rows_per_second();
    result.state = state_;
    return result;
  }

 private:
  void step() {
    const nf::Batch batch = batches_ ? batches_->at(state_.step) : nf::Batch();
    const int64_t rows = (plan_.draws ? plan_.samples : 0) + (batches_ ? batch.x.rows() : 0);
    if (anneals_) progress_.annotate(text("anneal %.2f", anneal_share(*args_.settings, state_.step)));
    nf::StepInfo info = NF_STEP_INFO_INIT;
    try {
      info = trainer_.step(batch);
    } catch (const nf::Exception& e) {
      throw Failure(e.what(), advice(e));
    }
    ++state_.step;
    state_.loss_sum += info.loss;
    ++state_.loss_count;
    lr_ = info.lr;
    progress_.step(state_.step, info.loss, rows);
    if (info.diverged && !args_.quiet)
      warn_of_divergence(state_.step, info.loss, info.went_back, args_.settings->get("trainer.guard", "") == "back");
  }

  // The loss since the last point: -loss is what `train` is for data.
  void point() {
    CurvePoint p;
    p.step = state_.step;
    p.train = -state_.loss_sum / static_cast<double>(state_.loss_count);
    p.valid = std::nan("");
    p.lr = lr_;
    p.seconds = seconds();
    state_.loss_sum = 0;
    state_.loss_count = 0;
    trainer_.observe(-p.train);  // for schedule "plateau"
    progress_.loss(p);
    state_.curve.push_back(p);
  }

  void checkpoint() {
    state_.seconds = seconds();
    write_state(plan_.model, state_);
    trainer_.save(args_.checkpoint);
  }

  double seconds() const { return earlier_ + progress_.seconds(); }  // of all parts of the run

  std::string advice(const nf::Exception& e) const {
    std::string hint;
    if (e.status() == NF_ERR_NOT_INVERTED)
      hint =
          "the objective needs this direction of the layer: use --set max_iterations=100, or flip the layer with "
          "\"invert\"";
    else if (std::string(e.what()).find("the target's log density") != std::string::npos)
      hint =
          "where the target's density is 0 there is no gradient to lead back: give it a soft edge (wall above 0), or "
          "try a lower --lr";
    else if (e.status() == NF_ERR_NUMERIC && state_.step == 0)  // nothing has been learned yet
      hint = batches_
                 ? "a row of --data or of the base is outside a layer's domain: is the data scaled?"
                 : "samples of the base are outside a layer's domain: flip the layer with \"invert\", or use another "
                   "\"base\"";
    else if (e.status() == NF_ERR_NUMERIC)
      hint = "try a lower --lr or --clip-norm 5";
    if (!state_.curve.empty())
      hint += (hint.empty() ? "" : "; ") + args_.checkpoint + " holds the run up to the last line above";
    return hint;
  }

  const FitArgs& args_;
  FitPlan& plan_;
  nf::Trainer trainer_;
  RunState state_;
  const uint64_t every_;  // steps between points
  Progress progress_;
  const Interrupts interrupts_;
  const double earlier_;  // seconds
  const bool averages_, anneals_;
  std::optional<nf::Batches> batches_;
  double lr_ = 0;
};
}  // namespace

RunResult run_fit(const FitArgs& args, FitPlan& plan, const Screen& screen, const std::function<void()>& on_ready) {
  FitLoop loop(args, plan, screen);
  on_ready();
  return loop.run();
}

}  // namespace cli
