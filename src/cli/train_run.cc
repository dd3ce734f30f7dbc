// See train_run.h.
#include "src/cli/train_run.h"

#include <atomic>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <span>

#include "src/cli/progress.h"

namespace nf::cli {
namespace {
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

// The first Ctrl-C or SIGTERM asks the loop to stop and save; a second one ends the process at once.
class SignalGuard {
 public:
  SignalGuard() {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = true; };
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGINT, &action, &old_[0]);
    sigaction(SIGTERM, &action, &old_[1]);
  }
  ~SignalGuard() {
    sigaction(SIGINT, &old_[0], nullptr);
    sigaction(SIGTERM, &old_[1], nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  struct sigaction old_[2];
};

// Before anything was learned, a row without a density at one of these layers is outside of what the layer takes.
std::string domain_advice(const std::string& message, const std::string& spec) {
  const std::pair<const char*, const char*> forward[] = {
      {"(logit", "logit takes numbers in [0, 1] only"},
      {"(circular_shift", "circular_shift takes numbers on its circle (range, bound), or half a turn outside"},
      {"(cbrt", "cbrt has no density at exactly 0"},
  };
  const std::pair<const char*, const char*> inverted[] = {
      {"(exp", "exp, inverted, takes positive numbers only"},
      {"(softplus", "softplus, inverted, takes positive numbers only"},
      {"(sigmoid", "sigmoid, inverted, takes numbers in [0, 1] only"},
      {"(tanh", "tanh, inverted, takes numbers in (-1, 1) only"},
      {"(softclip", "softclip, inverted, takes numbers in (-bound, bound) only"},
  };
  const auto find = [&](std::span<const std::pair<const char*, const char*>> domains) {
    for (const auto& [layer, takes] : domains)
      if (message.find(layer) != std::string::npos)
        return std::string(takes) + ": bring the data there first, or put another layer in its place";
    return std::string();
  };
  const std::string advice = find(forward);
  return advice.empty() && spec.find("\"invert\"") != std::string::npos ? find(inverted) : advice;
}

class Loop {
 public:
  Loop(const TrainArgs& args, TrainPlan& plan, const Screen& screen)
      : args_(args),
        plan_(plan),
        state_(plan.state),
        progress_(screen, args.quiet || args.json, plan.state.step, plan.steps) {
    const Options options = args.settings->bag();
    trainer_ = make<Trainer>(nf_trainer_create, plan.model.get(), options.get(), nullptr);
    if (args.resume) call(nf_trainer_restore, trainer_.get(), args.resumed().c_str());
    if (plan.valid) session_ = make<Session>(nf_session_create, plan.model.get(), options.get());
    batches_ = make_batches(args, plan);
    earlier_ = state_.seconds;
    averages_ = std::stod(args.settings->get("ema_decay", "0")) > 0;
  }

  TrainResult run() {
    TrainResult result;
    result.stopped_early = args_.resume && stale();
    while (state_.step < plan_.steps && !result.stopped_early) {
      if (interrupted) {
        checkpoint();
        result.interrupted = true;
        break;
      }
      one_step();
      if (state_.step % plan_.valid_every != 0 && state_.step != plan_.steps) continue;
      const bool best = validate();
      checkpoint();
      if (best && session_) keep_best();
      result.stopped_early = stale();
    }
    result.seconds = progress_.seconds();
    result.rows_per_second = progress_.rows_per_second();
    result.state = state_;
    return result;
  }

 private:
  bool stale() const { return args_.patience > 0 && state_.stale >= args_.patience && state_.step < plan_.steps; }

  void one_step() {
    nf_view x = NF_VIEW_INIT, context = NF_VIEW_INIT, weight = NF_VIEW_INIT;
    nf_step_info info = NF_STEP_INFO_INIT;
    call(nf_batches_get, batches_.get(), state_.step, &x, &context, &weight);
    try {
      call(nf_train_step, trainer_.get(), &x, context.data ? &context : nullptr, nullptr, &info);
    } catch (LibraryFailure& e) {
      if (e.status != NF_ERR_NUMERIC) throw;
      const std::string domain =
          state_.step == 0 ? domain_advice(e.what(), nf_model_spec(plan_.model.get())) : std::string();
      throw Failure(e.what(),  // names the step
                    (domain.empty() ? "try a lower --lr, --clip-norm 5, or --standardize" : domain) +
                        (state_.best_step ? "; " + args_.output + " holds the best model so far" : std::string()));
    }
    ++state_.step;
    state_.loss_sum += info.loss;
    ++state_.loss_count;
    lr_ = info.lr;
    progress_.step(state_.step, info.loss, x.shape[0]);
  }

  // The mean over all rows: one row without a finite density makes the model unfit to be the best one.
  double validation_mean() {
    const std::vector<double> values = log_probs(session_.get(), plan_.valid);
    double sum = 0;
    for (double v : values) sum += v;
    const double mean = sum / static_cast<double>(values.size());
    return std::isnan(mean) ? -std::numeric_limits<double>::infinity() : mean;
  }

  // True when the model is the best so far, and has been saved.
  bool validate() {
    if (averages_) call(nf_trainer_use_average, trainer_.get(), 1);  // what is measured is what is kept
    CurvePoint p;
    p.step = state_.step;
    p.train = -state_.loss_sum / static_cast<double>(state_.loss_count);
    p.lr = lr_;
    p.valid = session_ ? validation_mean() : std::nan("");
    p.seconds = state_.seconds = earlier_ + progress_.seconds();
    state_.curve.push_back(p);
    state_.loss_sum = 0;
    state_.loss_count = 0;
    if (session_) call(nf_trainer_observe, trainer_.get(), -p.valid);  // for schedule "plateau"
    const bool best = session_ && p.valid > state_.best;
    ++state_.stale;
    if (best || !session_) {
      state_.best = p.valid;
      state_.best_step = state_.step;
      state_.stale = 0;
      call(nf_model_set_note, plan_.model.get(), "run", nullptr);  // belongs to checkpoints only
      call(nf_model_save, plan_.model.get(), args_.output.c_str());
    }
    if (averages_) call(nf_trainer_use_average, trainer_.get(), 0);
    progress_.validation(p, best);
    return best;
  }

  void checkpoint() {
    state_.seconds = earlier_ + progress_.seconds();
    write_state(plan_.model.get(), state_);
    call(nf_trainer_save, trainer_.get(), args_.checkpoint.c_str());
  }

  // The checkpoint that was just written, under a second name. Later ones replace the first name, not the file.
  void keep_best() {
    namespace fs = std::filesystem;
    const std::string to = args_.best_state(), temporary = to + ".tmp";
    std::error_code error;
    fs::remove(temporary, error);
    fs::create_hard_link(args_.checkpoint, temporary, error);
    if (error) fs::copy_file(args_.checkpoint, temporary, error);  // a file system without links
    if (!error) fs::rename(temporary, to, error);
    if (error) throw Failure("cannot write " + to + ": " + error.message());
  }

  const TrainArgs& args_;
  TrainPlan& plan_;
  RunState state_;
  Progress progress_;
  Trainer trainer_;
  Session session_;
  Batches batches_;
  double earlier_ = 0, lr_ = 0;
  bool averages_ = false;
};
}  // namespace

TrainResult run_training(const TrainArgs& args, TrainPlan& plan, const Screen& screen,
                         const std::function<void()>& on_ready) {
  Loop loop(args, plan, screen);
  const SignalGuard guard;
  on_ready();
  return loop.run();
}

}  // namespace nf::cli
