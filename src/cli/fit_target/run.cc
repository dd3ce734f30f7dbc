// See run.h.
#include "src/cli/fit_target/run.h"

#include <algorithm>
#include <optional>

#include "src/cli/common/failure.h"

namespace cli {
namespace {
constexpr uint64_t kPoints = 20;  // maximum number of points of the learning curve

class FitLoop : public RunLoop {
 public:
  FitLoop(const FitArgs& args, FitPlan& plan, const Screen& screen)
      : RunLoop(plan.model, *args.settings, plan.state, args.checkpoint, (plan.state.planned + kPoints - 1) / kPoints,
                screen, !args.verbose()),
        args_(args),
        plan_(plan),
        anneals_(args.settings->number("trainer.anneal_steps", 0) > 0) {
    trainer().set_target(plan.target);
    if (args.resume) trainer().restore(args.checkpoint);
    if (!plan.data.x) return;
    Settings settings = *args.settings;
    settings.set("batches.batch", std::to_string(std::min(plan.samples, plan.data.x.count())));
    batches_.emplace(plan.runtime, plan.data.x.view(), settings.options({"batches"}));
  }

  void keep_average() { average(true); }

 private:
  nf::StepInfo step(int64_t* rows) override {
    const nf::Batch batch = batches_ ? batches_->at(state().step) : nf::Batch();
    *rows = (plan_.draws ? plan_.samples : 0) + (batches_ ? batch.x.rows() : 0);
    if (anneals_) progress().annotate(text("anneal %.2f", anneal_share(*args_.settings, state().step)));
    try {
      return trainer().step(batch);
    } catch (const nf::Exception& e) {
      throw Failure(e.what(), advice(e));
    }
  }

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
    else if (e.status() == NF_ERR_NUMERIC && state().step == 0)  // nothing has been learned yet
      hint = batches_
                 ? "a row of --data or of the base is outside a layer's domain: is the data scaled?"
                 : "samples of the base are outside a layer's domain: flip the layer with \"invert\", or use another "
                   "\"base\"";
    else if (e.status() == NF_ERR_NUMERIC)
      hint = "try a lower --lr or --clip-norm 5";
    if (!state().curve.empty())
      hint += (hint.empty() ? "" : "; ") + args_.checkpoint + " holds the run up to the last line above";
    return hint;
  }

  void point(CurvePoint& p) override {
    trainer().observe(-p.train);  // for schedule "plateau"
    progress().loss(p);
  }

  const FitArgs& args_;
  FitPlan& plan_;
  std::optional<nf::Batches> batches_;
  const bool anneals_;
};
}  // namespace

RunResult run_fit(const FitArgs& args, FitPlan& plan, const Screen& screen, const std::function<void()>& on_ready) {
  FitLoop loop(args, plan, screen);
  on_ready();
  RunResult result = loop.run();
  if (!result.interrupted) loop.keep_average();
  return result;
}

}  // namespace cli
