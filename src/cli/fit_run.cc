// See fit_run.h.
#include "src/cli/fit_run.h"

#include <algorithm>

namespace nf::cli {
namespace {
constexpr uint64_t kPoints = 20;  // maximum number of points of the learning curve

class FitLoop : public RunLoop {
 public:
  FitLoop(const FitArgs& args, const FitPlan& plan, const Screen& screen)
      : RunLoop(plan.model.get(), *args.settings, plan.state, args.checkpoint,
                (plan.state.planned + kPoints - 1) / kPoints, screen, !args.verbose()),
        args_(args),
        plan_(plan),
        anneals_(std::stod(args.settings->get("anneal_steps", "0")) > 0) {
    call(nf_trainer_set_target, trainer(), plan.target.get());
    if (args.resume) call(nf_trainer_restore, trainer(), args.checkpoint.c_str());
    if (!plan.data.x) return;
    Settings settings = *args.settings;
    settings.set("batch", std::to_string(std::min(plan.samples, plan.data.x.count())));
    const nf_view x = plan.data.x.view();
    const Options options = settings.bag();
    batches_ = make<Batches>(nf_batches_create, plan.runtime.get(), &x, nullptr, nullptr, options.get());
  }

  void keep_average() { average(true); }

 private:
  nf_step_info step(int64_t* rows) override {
    nf_view x = NF_VIEW_INIT;
    nf_step_info info = NF_STEP_INFO_INIT;
    if (batches_) call(nf_batches_get, batches_.get(), state().step, &x, nullptr, nullptr);
    *rows = (plan_.draws ? plan_.samples : 0) + (batches_ ? x.shape[0] : 0);
    if (anneals_) progress().annotate(text("anneal %.2f", anneal_share(*args_.settings, state().step)));
    try {
      call(nf_train_step, trainer(), batches_ ? &x : nullptr, nullptr, nullptr, &info);
    } catch (const LibraryFailure& e) {
      throw Failure(e.what(), advice(e));
    }
    return info;
  }

  std::string advice(const LibraryFailure& e) const {
    std::string hint;
    if (e.status == NF_ERR_NOT_INVERTED)
      hint =
          "the objective needs this direction of the layer: use --set max_iterations=100, or flip the layer with "
          "\"invert\"";
    else if (std::string(e.what()).find("the target's log density") != std::string::npos)
      hint =
          "where the target's density is 0 there is no gradient to lead back: give it a soft edge (wall above 0), or "
          "try a lower --lr";
    else if (e.status == NF_ERR_NUMERIC && state().step == 0)  // nothing has been learned yet
      hint = batches_
                 ? "a row of --data or of the base is outside a layer's domain: is the data scaled?"
                 : "samples of the base are outside a layer's domain: flip the layer with \"invert\", or use another "
                   "\"base\"";
    else if (e.status == NF_ERR_NUMERIC)
      hint = "try a lower --lr or --clip-norm 5";
    if (!state().curve.empty())
      hint += (hint.empty() ? "" : "; ") + args_.checkpoint + " holds the run up to the last line above";
    return hint;
  }

  void point(CurvePoint& p) override {
    call(nf_trainer_observe, trainer(), -p.train);  // for schedule "plateau"
    progress().loss(p);
  }

  const FitArgs& args_;
  const FitPlan& plan_;
  Batches batches_;
  const bool anneals_;
};
}  // namespace

RunResult run_fit(const FitArgs& args, const FitPlan& plan, const Screen& screen,
                  const std::function<void()>& on_ready) {
  FitLoop loop(args, plan, screen);
  on_ready();
  RunResult result = loop.run();
  if (!result.interrupted) loop.keep_average();
  return result;
}

}  // namespace nf::cli
