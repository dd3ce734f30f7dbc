#include "src/train/fit.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "src/io/posix.h"
#include "src/lane/weighted_mean.h"
#include "src/model/rows.h"
#include "src/objective/phases.h"
#include "src/train/fit_state.h"
#include "src/train/start.h"

namespace libnf {
namespace {

constexpr int64_t kSteps = 4000, kScored = 4096;  // rows to score at once
constexpr uint64_t kMinValidations = 16, kMaxValidations = 64;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What is mirrored of the rows; rank 0: nothing.
Dims mirrored_event(const Density& model, const FitPlan& plan) {
  if (!plan.batches.flip) return {};
  const Dims event = model.event();
  if (event.rank != 3)
    fail(Code::spec,
         "\"batches.flip\" mirrors images, but the model's event is %s: expected \"event\": [height, width, channels]",
         to_string(event).c_str());
  return event;
}

class Fit {
 public:
  Fit(const Allocator& allocator, Executor& executor, Density& model, Notes& notes, const FitPlan& plan,
      const FitHooks& hooks);
  FitInfo run();

 private:
  void plan_steps();
  void begin();
  void check_validation_rows();
  void loop();
  void one_step();
  void point();
  void validate();
  void save();
  void save_as(const std::string& path);
  void finish();
  void restore_best();
  void average(bool on);
  bool due() const {
    return info_.step > 0 && state_.validated_at != info_.step &&
           (info_.step % every_ == 0 || info_.step == info_.planned);
  }
  bool stale() const {
    return plan_.config.patience > 0 && state_.stale >= static_cast<uint64_t>(plan_.config.patience);
  }
  void report(bool validated, bool point);
  bool has_best() const { return info_.best_step > 0 && !state_.best_elsewhere; }
  void pointed();
  void changed() const {
    if (hooks_.changed) hooks_.changed();
  }
  // A batch of rows of the data.
  void gather(Batches& batches, uint64_t step) const {
    if (hooks_.before_read) hooks_.before_read();
    batches.gather(step);
    if (hooks_.after_read) hooks_.after_read(batches.x().shape[0]);
  }
  double seconds() const {
    return earlier_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

  const Allocator allocator_;
  Executor& executor_;
  Density& model_;
  Notes& notes_;
  FitPlan plan_;
  const FitHooks& hooks_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  double earlier_ = 0;  // seconds of earlier parts
  const FitSplit split_;
  Batches batches_;
  FitInfo info_;
  FitState state_;
  uint64_t every_ = 1;
  Json fixed_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<Session> session_;  // to validate with
  std::unique_ptr<Batches> valid_;
  Buffer scores_, best_;  // log_prob of validation rows; parameters of the best validation
};

Fit::Fit(const Allocator& allocator, Executor& executor, Density& model, Notes& notes, const FitPlan& plan,
         const FitHooks& hooks)
    : allocator_(allocator),
      executor_(executor),
      model_(model),
      notes_(notes),
      plan_(plan),
      hooks_(hooks),
      split_(split_rows(plan)),
      batches_(allocator, plan.data, plan.batches.batch, plan.batches.order, plan.batches.seed, split_.train,
               plan.batches.part.block, std::max<int64_t>(plan.batches.smallest, couples_rows(model) ? 2 : 1),
               mirrored_event(model, plan)) {
  const ObjectiveKind& kind = plan_.trainer.objective.kind();
  if (!kind.data)
    fail(Code::unsupported, "objective \"%s\" has no rows of data to fit: call nf_train_step for it", kind.name);
  info_.valid = info_.valid_error = info_.best = std::nan("");
  const bool whole = plan_.valid.x.data != nullptr;
  if (whole || split_.valid) {
    const Batches::Streams& rows = whole ? plan_.valid : plan_.data;
    const Selection which = whole ? Selection(rows.x.shape[0]) : *split_.valid;
    valid_ = std::make_unique<Batches>(allocator_, rows, kScored, Order::sequential, 0, which, plan.batches.part.block);
    info_.valid_rows = valid_->rows();
    scores_ = Buffer(allocator_, static_cast<size_t>(kScored) * sizeof(double), "scores of validation rows");
    best_ = Buffer(allocator_, model_.params().bytes(), "the best parameters");
  } else if (plan_.config.patience > 0) {
    fail(Code::spec, "\"fit.patience\" needs validation rows: give some, or set \"fit.holdout\" above 0");
  }
  info_.train_rows = split_.train.rows();
  info_.steps_per_epoch = batches_.per_epoch();
  info_.merged_rows = batches_.merged();
  plan_steps();
}

void Fit::plan_steps() {
  const FitConfig& c = plan_.config;
  if (c.steps > 0 && c.epochs > 0)
    fail(Code::spec, "\"fit.steps\" and \"fit.epochs\" both set the length of the run: set one of them");
  const double epochs = std::ceil(std::min(c.epochs * static_cast<double>(info_.steps_per_epoch), 1e15));
  info_.planned = static_cast<uint64_t>(c.steps > 0 ? c.steps : c.epochs > 0 ? static_cast<int64_t>(epochs) : kSteps);
  const auto share = [&](uint64_t parts) { return (info_.planned + parts - 1) / parts; };
  every_ = static_cast<uint64_t>(c.valid_every);
  if (every_ == 0) every_ = std::max(share(kMaxValidations), std::min(share(kMinValidations), info_.steps_per_epoch));
  info_.valid_every = every_;
}

// A run that is resumed goes on where it stopped; any other starts layers that wait for data.
void Fit::begin() {
  const FitConfig& c = plan_.config;
  const bool other = !c.resume_from.empty();
  if (c.resume && c.checkpoint.empty() && !other)
    fail(Code::spec, "\"fit.resume\" needs \"fit.checkpoint\", the file to continue from");
  if (c.keep_best && c.checkpoint.empty())
    fail(Code::spec, "\"fit.keep_best\" needs \"fit.checkpoint\", the name of the file to keep");
  std::optional<SavedFit> saved;
  if (c.resume || other) saved.emplace(allocator_, other ? c.resume_from.c_str() : c.checkpoint.c_str());
  const bool resumes = saved && saved->exists();
  if (other && !resumes) fail_os(Code::io, ENOENT, "\"fit.resume_from\": cannot open %.200s", c.resume_from.c_str());
  // Schedules with an end finish with the run; a resumed run keeps the end of its first part.
  if (plan_.trainer.max_steps == 0 && resumes) plan_.trainer.max_steps = saved->max_steps();
  if (plan_.trainer.max_steps == 0) plan_.trainer.max_steps = static_cast<int64_t>(info_.planned);
  fixed_ = fixed_settings(plan_, split_);
  if (resumes) saved->check(fixed_, c.new_settings);
  trainer_ = std::make_unique<Trainer>(allocator_, executor_, model_, plan_.trainer, Collective());
  if (valid_) {
    SessionOptions options = plan_.session;
    options.nonfinite = NonFinite::propagate;
    session_ = std::make_unique<Session>(allocator_, executor_, model_, options);
    check_validation_rows();
  }
  if (resumes) {
    saved->restore(model_, notes_, *trainer_, best_, state_, info_);
    earlier_ = state_.seconds;
  } else if (model_.flow()) {
    if (hooks_.before_read) hooks_.before_read();
    start_from_data(allocator_, executor_, *model_.flow(), cut_of(model_),
                    {plan_.data.x, plan_.data.context, plan_.data.weight, &split_.train}, {});
    trainer_->parameters_changed();
  }
  changed();
}

// A validation row that is not finite would spoil every validation, and be found after the run.
void Fit::check_validation_rows() {
  for (uint64_t k = 0; k < valid_->per_epoch(); ++k) {
    gather(*valid_, k);
    const View &x = valid_->x(), &context = valid_->context(), &weight = valid_->weight();
    for (int64_t r = 0; r < x.shape[0]; ++r) {
      const auto number = static_cast<long long>(valid_->numbers()[r]);
      const double w = weight.data ? scalar_at(weight, r) : 1;
      if (!(w >= 0) || std::isinf(w))
        fail_at(Code::argument, {number, -1}, "weight[%lld] = %g; weights are finite and not negative", number, w);
      const auto finite = [&](const View& v, int64_t row) {
        if (v.dtype == DType::u8) return true;
        return with_dtype(v.dtype, [&]<class T>() {
          const int64_t columns = v.count() / v.shape[0];
          const T* p = v.as<T>() + row * columns;
          return std::all_of(p, p + columns, [](T value) { return std::isfinite(value); });
        });
      };
      if (w == 0 || (finite(x, r) && (!context.data || finite(context, context.shape[0] == 1 ? 0 : r)))) continue;
      fail_at(Code::numeric, {number, -1}, "row %lld%s is not finite, and would be validated with", number,
              plan_.valid.x.data ? " of the validation rows" : "");
    }
  }
}

FitInfo Fit::run() {
  begin();
  try {
    if (plan_.config.announce) report(false, false);
    if (info_.stop == FitStop::requested)
      save();
    else
      loop();
    finish();
  } catch (...) {
    restore_best();
    changed();
    throw;
  }
  changed();
  return info_;
}

void Fit::loop() {
  if (due()) point();  // stopped between a step and its validation
  if (info_.stop == FitStop::none && info_.step < info_.planned && stale()) info_.stop = FitStop::patience;
  while (info_.stop == FitStop::none && info_.step < info_.planned) {
    one_step();
    if (!valid_ && info_.step == info_.planned) info_.stop = FitStop::finished;
    const bool bare = !valid_ && due();  // a point without a validation
    if (bare) average(true);             // the weights that are kept
    report(false, bare);
    if (bare) {
      average(false);
      pointed();
    } else if (info_.stop == FitStop::requested) {
      save();
      return;
    }
    if (due()) point();
  }
  if (info_.stop == FitStop::none) info_.stop = FitStop::finished;
}

void Fit::one_step() {
  gather(batches_, info_.step);
  const Batches& b = batches_;
  const StepResult r = trainer_->step({b.x(), b.context(), b.weight(), b.scores(), b.numbers()});
  ++info_.step;
  info_.batch_rows = b.x().shape[0];
  info_.went_back = r.went_back;
  if (r.diverged) info_.diverged_at = r.step;
  state_.loss_sum += r.loss;
  ++state_.loss_count;
  info_.loss = r.loss;
  info_.lr = r.lr;
  info_.grad_norm = r.grad_norm;
  info_.train = -state_.loss_sum / static_cast<double>(state_.loss_count);
}

void Fit::report(bool validated, bool point) {
  changed();
  if (!hooks_.progress) return;
  info_.validated = validated;
  info_.point = point;
  info_.seconds = seconds();
  if (hooks_.progress(info_) && info_.stop == FitStop::none) info_.stop = FitStop::requested;
}

// A validation, and the checkpoint after it.
void Fit::point() {
  if (valid_) {
    average(true);  // the weights that are kept
    validate();
    if (info_.step == info_.planned)
      info_.stop = FitStop::finished;
    else if (stale())
      info_.stop = FitStop::patience;
    report(true, true);
    average(false);
  }
  pointed();
}

void Fit::pointed() {
  state_.validated_at = info_.step;
  state_.loss_sum = 0;
  state_.loss_count = 0;
  save();
  if (!plan_.config.keep_best || !valid_ || !info_.improved) return;
  const std::string best = plan_.config.checkpoint + ".best";
  if (!replace_by_link(plan_.config.checkpoint.c_str(), best.c_str())) save_as(best);
}

void Fit::validate() {
  WeightedMean sums, rest;  // of all rows, and of those with a density
  bool some = false;
  info_.bad_rows = 0;
  info_.bad_row = -1;
  for (uint64_t k = 0; k < valid_->per_epoch(); ++k) {
    gather(*valid_, k);
    const int64_t n = valid_->x().shape[0];
    session_->log_prob(valid_->x(), valid_->context(), contiguous_view(scores_.data(), DType::f64, {n}));
    for (int64_t r = 0; r < n; ++r) {
      const double w = valid_->weight().data ? scalar_at(valid_->weight(), r) : 1, lp = scores_.as<double>()[r];
      sums.add(w, lp);
      if (w == 0) continue;
      if (std::isfinite(lp)) {
        rest.add(w, lp);
        some = true;
      } else if (info_.bad_rows++ == 0) {
        info_.bad_row = valid_->numbers()[r];
      }
    }
  }
  const MeanError mean = sums.result(Collective());
  info_.valid = info_.bad_rows > 0 ? -kInfinity : mean.mean;
  info_.valid_error = info_.bad_rows > 0 ? 0 : mean.error;
  info_.valid_rest = some ? rest.result(Collective()).mean : std::nan("");
  trainer_->observe_validation(some ? -info_.valid_rest : kInfinity);
  // Fewer rows without a density are better than any mean of the others: a few such rows, which no weights give a density,
  // do not keep a run from having a best.
  const bool first = info_.best_step == 0;
  info_.improved = some && (first || info_.bad_rows < state_.best_bad ||
                            (info_.bad_rows == state_.best_bad && info_.valid_rest > state_.best_rest));
  ++state_.stale;
  if (!info_.improved) return;
  state_.best_bad = info_.bad_rows;
  state_.best_rest = info_.valid_rest;
  state_.best_elsewhere = false;
  info_.best = info_.valid;
  info_.best_step = info_.step;
  state_.stale = 0;
  std::memcpy(best_.data(), model_.params().data(), best_.bytes());
}

void Fit::save() {
  if (!plan_.config.checkpoint.empty()) save_as(plan_.config.checkpoint);
}

void Fit::save_as(const std::string& path) {
  state_.seconds = seconds();
  save_fit(path.c_str(), model_, notes_, *trainer_, best_, fixed_, state_, info_,
           hooks_.extra ? hooks_.extra() : Extra());
}

void Fit::average(bool on) {
  if (trainer_->has_average()) trainer_->use_average(on);
}

void Fit::restore_best() {
  if (has_best()) std::memcpy(model_.params().data(), best_.data(), best_.bytes());
}

void Fit::finish() {
  info_.seconds = seconds();
  if (valid_ && info_.best_step == 0 && info_.stop != FitStop::requested)
    fail_at(Code::numeric, {info_.bad_row, -1},
            "no validation had a finite log-likelihood, so no weights are the best: row %lld%s and all others "
            "had none",
            static_cast<long long>(info_.bad_row), plan_.valid.x.data ? " of the validation rows" : "");
  if (plan_.config.restore_best && has_best())
    restore_best();
  else
    average(true);
}

}  // namespace

FitInfo fit(const Allocator& allocator, Executor& executor, Density& model, Notes& notes, const FitPlan& plan,
            const FitHooks& hooks) {
  return Fit(allocator, executor, model, notes, plan, hooks).run();
}

}  // namespace libnf
