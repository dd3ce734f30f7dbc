// See run.h.
#include "src/cli/train/run.h"

#include <cmath>
#include <filesystem>
#include <optional>
#include <span>

#include "src/cli/common/failure.h"
#include "src/cli/run/warn_model.h"

namespace cli {
namespace {
// Returns advice if a row had no density at the first step because it is outside the domain of one of these layers.
std::string domain_advice(const std::string& message, const std::string& spec) {
  const std::pair<const char*, const char*> forward[] = {
      {"(logit", "logit takes only numbers in [0, 1]"},
      {"(circular_shift",
       "circular_shift takes only numbers on its circle (range, bound); [0, 2 pi) is \"range\": \"positive\""},
      {"(cbrt", "cbrt has no density at exactly 0"},
  };
  const std::pair<const char*, const char*> inverted[] = {
      {"(exp", "exp, inverted, takes only positive numbers"},
      {"(softplus", "softplus, inverted, takes only positive numbers"},
      {"(sigmoid", "sigmoid, inverted, takes only numbers in [0, 1]"},
      {"(tanh", "tanh, inverted, takes only numbers in (-1, 1)"},
      {"(softclip", "softclip, inverted, takes only numbers in (-bound, bound)"},
  };
  const auto find = [&](std::span<const std::pair<const char*, const char*>> domains) {
    for (const auto& [layer, takes] : domains)
      if (message.find(layer) != std::string::npos)
        return std::string(takes) + ": transform the data first, or use another layer";
    return std::string();
  };
  const std::string advice = find(forward);
  return advice.empty() && spec.find("\"invert\"") != std::string::npos ? find(inverted) : advice;
}

class TrainLoop : public RunLoop {
 public:
  TrainLoop(const TrainArgs& args, TrainPlan& plan, const Screen& screen)
      : RunLoop(plan.model, *args.settings, plan.state, args.checkpoint, plan.valid_every, screen,
                args.quiet || args.json),
        args_(args),
        plan_(plan),
        batches_(make_batches(args, plan)) {
    if (args.resume) trainer().restore(args.resumed());
    if (plan.valid) session_.emplace(plan.model, args.settings->options({"session"}));
  }

 private:
  bool stale() const override {
    return args_.patience > 0 && state().stale >= args_.patience && state().step < state().planned;
  }

  nf::StepInfo step(int64_t* rows) override {
    const nf::Batch batch = batches_.at(state().step);
    *rows = batch.x.rows();
    try {
      return trainer().step(batch);
    } catch (const nf::Exception& e) {
      if (e.status() != NF_ERR_NUMERIC) throw;
      const std::string domain = state().step == 0 ? domain_advice(e.what(), plan_.model.spec()) : std::string();
      const int64_t row = e.row() < 0 ? -1 : batches_.row(e.row());
      throw Failure(with_place(e.what(), e.row(), plan_.train.x, row),  // the message names the step
                    (domain.empty() ? nonfinite_advice(plan_.model, e.what()) : domain) +
                        (state().best_step ? "; " + args_.output + " holds the best model so far" : std::string()));
    }
  }

  // Returns the mean over all rows; a row without a finite density rules the model out as the best.
  double validation_mean() {
    const std::vector<double> values = log_probs(*session_, plan_.valid);
    double sum = 0;
    for (double v : values) sum += v;
    const double mean = sum / static_cast<double>(values.size());
    return std::isnan(mean) ? -std::numeric_limits<double>::infinity() : mean;
  }

  void point(CurvePoint& p) override {
    if (session_) {
      p.valid = validation_mean();
      p.seconds = seconds();
      trainer().observe(-p.valid);  // for schedule "plateau"
    }
    RunState& s = state();
    best_ = session_ && p.valid > s.best;
    ++s.stale;
    if (best_ || !session_) {
      s.best = p.valid;
      s.best_step = s.step;
      s.stale = 0;
      plan_.model.remove_note("run");  // only for checkpoints
      plan_.model.save(args_.output);
    }
    progress().validation(p, best_);
  }

  // Links the checkpoint just written under a second name; later checkpoints replace the first name, not the file.
  void saved() override {
    namespace fs = std::filesystem;
    if (!best_) return;
    const std::string to = args_.best_state(), temporary = to + ".tmp";
    std::error_code error;
    fs::remove(temporary, error);
    fs::create_hard_link(args_.checkpoint, temporary, error);
    if (error) fs::copy_file(args_.checkpoint, temporary, error);  // the file system has no links
    if (!error) fs::rename(temporary, to, error);
    if (error) throw Failure("cannot write " + to + ": " + error.message());
  }

  const TrainArgs& args_;
  TrainPlan& plan_;
  nf::Batches batches_;
  std::optional<nf::Session> session_;
  bool best_ = false;  // the last validation was the best
};
}  // namespace

RunResult run_training(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
                       const std::function<void()>& on_ready) {
  TrainLoop loop(args, plan, screen);
  on_ready();
  return loop.run();
}

}  // namespace cli
