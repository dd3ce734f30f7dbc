// See run.h.
#include "src/cli/train/run.h"

#include <cmath>
#include <cstdio>
#include <span>

#include "src/cli/common/failure.h"
#include "src/cli/run/interrupts.h"
#include "src/cli/run/progress.h"
#include "src/cli/run/warn_model.h"

namespace cli {
namespace {
// Returns advice if a row had no density because it is outside the domain of one of these layers.
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

// A run of nf::fit: shows its progress, keeps the best model at -o, and keeps what a resumed command needs in a note of the
// checkpoints.
class TrainRun {
 public:
  TrainRun(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
           const std::function<void(const Sizes&)>& on_ready)
      : args_(args), plan_(plan), screen_(screen), on_ready_(on_ready), state_(plan.state) {}

  RunResult run() {
    nf::FitInfo last = NF_FIT_INFO_INIT;
    try {
      last = as_usage([&] {
        return nf::fit(
            plan_.model, plan_.train_rows(), args_.settings->options({"fit", "trainer", "batches", "session"}),
            [&](const nf::FitInfo& i) { return on_progress(i); }, plan_.valid_rows());
      });
    } catch (const nf::Exception& e) {
      if (e.status() != NF_ERR_NUMERIC) throw;
      const std::string message = e.what();  // names the step
      const std::string where = message.starts_with("no validation had") ? kAtBase : message;
      const std::string domain = state_.step == 0 ? domain_advice(message, plan_.model.spec()) : std::string();
      const bool validation = message.find("validat") != std::string::npos && plan_.valid.x;
      throw Failure(with_place(message, e.row(), validation ? plan_.valid.x : plan_.train.x, e.row()),
                    (domain.empty() ? nonfinite_advice(plan_.model, where) : domain) +
                        (state_.best_step ? "; " + args_.output + " holds the best model so far" : std::string()));
    }
    RunResult result;
    result.interrupted = last.stop == NF_STOP_REQUESTED;
    result.stopped_early = last.stop == NF_STOP_PATIENCE;
    result.rows_per_second = progress_->rows_per_second();
    result.state = state_;
    return result;
  }

 private:
  bool on_progress(const nf::FitInfo& i) {
    if (!progress_) {
      state_.planned = i.planned;
      on_ready_({i.train_rows, i.valid_rows, i.planned, i.steps_per_epoch, i.valid_every, i.merged_rows});
      progress_.emplace(screen_, args_.quiet || args_.json, state_.step, state_.planned);
    } else {
      if (!i.validated) step(i);
      if (i.point) point(i);
    }
    if (!Interrupts::requested() || i.step >= i.planned || i.stop) return true;
    remember(i);
    return false;
  }

  void step(const nf::FitInfo& i) {
    state_.step = i.step;
    state_.loss_sum += i.loss;
    ++state_.loss_count;
    progress_->step(i.step, i.loss, i.batch_rows);
    if (i.diverged_at == i.step && !args_.quiet)
      warn_of_divergence(i.step, i.loss, i.went_back, args_.settings->get("trainer.guard", "") == "back");
  }

  // A validation, or where there are no validation rows a point of the curve.
  void point(const nf::FitInfo& i) {
    CurvePoint p;
    p.step = i.step;
    p.train = i.train;
    p.valid = i.validated ? i.valid : std::nan("");
    p.rest = i.validated ? i.valid_rest : std::nan("");
    p.bad_rows = i.bad_rows;
    p.lr = i.lr;
    p.seconds = i.seconds;
    state_.loss_sum = 0;
    state_.loss_count = 0;
    if (i.bad_rows > 0 && !warned_) warn_of_bad_rows(i);
    const bool best = i.validated && i.improved;
    ++state_.stale;
    if (best || !i.validated) {
      state_.best = p.valid;
      state_.best_rest = p.rest;
      state_.best_bad = p.bad_rows;
      state_.best_step = i.step;
      state_.stale = 0;
      plan_.model.remove_note("run");  // only for checkpoints
      plan_.model.save(args_.output);
    }
    progress_->validation(p, best);
    state_.curve.push_back(p);
    remember(i);
  }

  void remember(const nf::FitInfo& i) {
    state_.seconds = i.seconds;
    write_state(plan_.model, state_);
  }

  // Names the first row without a density, where it is lost, and what helps.
  void warn_of_bad_rows(const nf::FitInfo& i) {
    warned_ = true;
    if (args_.quiet) return;
    const bool own = !args_.valid.data.empty();
    const Data& data = own ? plan_.valid : plan_.train;
    std::string why;
    try {
      nf::Options options = args_.settings->options({"session"});
      options.set("session.nonfinite", "error");
      nf::Session session(plan_.model, options);
      const nf::View context = data.context.view();
      session.log_prob<double>(data.x.view().slice(i.bad_row, 1),
                               context.none() || context.rows() == 1 ? context : context.slice(i.bad_row, 1));
    } catch (const nf::Exception& e) {
      why = e.what();
    }
    const std::string domain = domain_advice(why, plan_.model.spec());
    std::fprintf(
        stderr,
        "nf: warning: %s of %s no density, so their mean log-likelihood is -infinity; the best model is the one "
        "with the fewest such rows, and among those the best on the others. The first is %s: %s\n",
        counted(i.bad_rows, "validation row").c_str(),
        (grouped(i.valid_rows) + (i.bad_rows == 1 ? " has" : " have")).c_str(), data.x.place(i.bad_row).c_str(),
        (domain.empty() ? nonfinite_advice(plan_.model, why.empty() ? kAtBase : why) : domain).c_str());
  }

  const TrainArgs& args_;
  TrainPlan& plan_;
  const Screen& screen_;
  const std::function<void(const Sizes&)>& on_ready_;
  RunState state_;
  std::optional<Progress> progress_;  // once the run is about to start
  const Interrupts interrupts_;
  bool warned_ = false;
};
}  // namespace

RunResult run_training(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
                       const std::function<void(const Sizes&)>& on_ready) {
  return TrainRun(args, plan, screen, on_ready).run();
}

}  // namespace cli
