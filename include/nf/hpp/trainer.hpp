// nf::Trainer, and fitting, scoring and drawing in one call. Include <nf/nf.hpp>.
#ifndef NF_HPP_TRAINER_HPP_
#define NF_HPP_TRAINER_HPP_
#include <nf/hpp/data.hpp>
#include <nf/hpp/target.hpp>

NF_HPP_BEGIN

using StepInfo = nf_step_info;
using FitInfo = nf_fit_info;

// Called after every step. Returning false stops the run; an exception stops it and propagates.
using OnStep = std::function<bool(const StepInfo &)>;
using OnFit = std::function<bool(const FitInfo &)>;
// Fills in the batch for a step and returns true, or returns false at the end of the data. The views are borrowed until the
// next call.
using Source = std::function<bool(uint64_t step, Batch &batch)>;
enum class RunEnd { finished, stopped };  // stopped: by on_step

// Derivatives of a loss of the host with respect to what a map returned: nf_cotangents.
struct Cotangents {
  Direction direction = Direction::forward;
  View out;       // as the result
  View log_det;   // [n]
  View log_prob;  // [n]
};

class Trainer : public detail::Handle<nf_trainer, nf_trainer_free> {
 public:
  // Options of scope "trainer". A model has at most one trainer at a time.
  static Returned<Trainer> create(Model &m, const Options &options = {}, const nf_collective *collective = nullptr) {
    return detail::make<Trainer>(options, nf_trainer_create, m.get(), options.get(), collective);
  }
#ifndef NF_NO_EXCEPTIONS
  explicit Trainer(Model &m, const Options &options = {}, const nf_collective *collective = nullptr)
      : Trainer(create(m, options, collective)) {}
#endif
  explicit Trainer(nf_trainer *t) noexcept : Handle(t) {}  // takes ownership

  // All settings, defaults included: {"trainer.lr": 0.001, ...}.
  Returned<std::string> options() const { return detail::written<std::string>(nf_trainer_options, get()); }
  // Sets the target of objectives that need one, and keeps it alive.
  Returned<void> set_target(const Target &target) {
    const Error e = detail::invoke(nf_trainer_set_target, get(), target.get());
    if (!e) target_ = target.state_;
    return detail::done(e);
  }

  // One step. Objectives without data take a batch that has at most a context.
  Returned<StepInfo> step(const Batch &batch = {}) {
    StepInfo info = NF_STEP_INFO_INIT;
    const nf_batch raw = batch.raw();
    const Error e = detail::invoke(nf_train_step, get(), given(batch, raw), &info);
    Target::rethrow(target_);
    return detail::done(e, info);
  }
  // The objective on a batch with today's parameters, without a step, and its standard error over rows.
  struct Loss {
    double loss, error;
  };
  Returned<Loss> evaluate(const Batch &batch = {}) {
    Loss l{0, 0};
    const nf_batch raw = batch.raw();
    const Error e = detail::invoke(nf_trainer_evaluate, get(), given(batch, raw), &l.loss, &l.error);
    Target::rethrow(target_);
    return detail::done(e, l);
  }
  // Trains until max_steps steps have been applied in total (0 = no limit), the data ends, or on_step returns false. A
  // source or a target that stops the run is an error, NF_ERR_CANCELLED. Exceptions of callbacks propagate.
  Returned<RunEnd> run(Batches &batches, uint64_t max_steps, const OnStep &on_step = {}) {
    nf_source s = NF_SOURCE_INIT;
    const Error e = detail::invoke(nf_batches_source, batches.get(), &s);
    return e ? detail::done(e, RunEnd::finished) : run(&s, max_steps, on_step, nullptr);
  }
  Returned<RunEnd> run(const Source &source, uint64_t max_steps, const OnStep &on_step = {}) {
    struct Reader {
      const Source *source;
      Batch batch;
      detail::Thrown thrown;
    } reader{&source, {}, {}};
    nf_source s = NF_SOURCE_INIT;
    s.user = &reader;
    s.next = [](void *user, uint64_t step, nf_batch *batch) -> int32_t {
      auto *r = static_cast<Reader *>(user);
      return r->thrown.run(-1, [&] {
        r->batch = Batch();
        const bool more = (*r->source)(step, r->batch);
        batch->x = r->batch.x.raw(), batch->ctx = r->batch.ctx.raw();
        batch->weight = r->batch.weight.raw(), batch->scores = r->batch.scores.raw();
        return more ? 1 : 0;
      });
    };
    return run(&s, max_steps, on_step, &reader.thrown);
  }
  // For objectives without data.
  Returned<RunEnd> run(uint64_t max_steps, const OnStep &on_step = {}) {
    return run(nullptr, max_steps, on_step, nullptr);
  }

  // Losses of the host: add gradients of any number of batches, then take a step.
  Returned<void> accumulate(const Batch &batch, const Cotangents &c) {
    const nf_batch raw = batch.raw();
    nf_cotangents cotangents = NF_COTANGENTS_INIT;
    cotangents.direction = static_cast<nf_direction>(c.direction);
    cotangents.out = c.out.raw(), cotangents.log_det = c.log_det.raw(), cotangents.log_prob = c.log_prob.raw();
    return detail::done(detail::invoke(nf_trainer_accumulate, get(), &raw, &cotangents));
  }
  Returned<StepInfo> apply(double loss) {
    StepInfo info = NF_STEP_INFO_INIT;
    const Error e = detail::invoke(nf_trainer_apply, get(), loss, &info);
    return detail::done(e, info);
  }
  Returned<void> discard() { return detail::done(detail::invoke(nf_trainer_discard, get())); }

  // Reports a validation loss to schedule "plateau".
  Returned<void> observe(double validation_loss) {
    return detail::done(detail::invoke(nf_trainer_observe, get(), validation_loss));
  }
  // Changes the learning rate that the schedule starts from, of one group of parameters or of all.
  Returned<void> set_lr(double lr) { return set_group_lr(nullptr, lr); }
  Returned<void> set_lr(const std::string &group, double lr) { return set_group_lr(group.c_str(), lr); }
  // Begins anew from the present parameters, for other data.
  Returned<void> restart(bool keep_moments) {
    return detail::done(detail::invoke(nf_trainer_restart, get(), int32_t{keep_moments}));
  }

  // Checkpoints, from which training continues with the same bits.
  Returned<void> save(const std::string &path) const {
    return detail::done(detail::invoke(nf_trainer_save, get(), path.c_str()));
  }
  Returned<void> save_to(const Write &write) const { return detail::write_to(nf_trainer_save_stream, get(), write); }
  Returned<std::vector<unsigned char>> to_bytes() const {
    return detail::written<std::vector<unsigned char>>(nf_trainer_save_stream, get());
  }
  Returned<void> restore(const std::string &path) {
    return detail::done(detail::invoke(nf_trainer_restore, get(), path.c_str()));
  }
  Returned<void> restore(const void *bytes, size_t n) {
    return detail::done(detail::invoke(nf_trainer_restore_memory, get(), bytes, n));
  }

  uint64_t step_count() const noexcept { return nf_trainer_step_count(get()); }
  // With option "trainer.ema_decay": puts the averaged parameters into the model, or those of the last step back.
  Returned<void> use_average(bool on) {
    return detail::done(detail::invoke(nf_trainer_use_average, get(), int32_t{on}));
  }
  size_t bytes() const noexcept { return nf_trainer_bytes(get()); }

 private:
  static const nf_batch *given(const Batch &batch, const nf_batch &raw) noexcept {
    return batch.none() ? nullptr : &raw;
  }
  Returned<void> set_group_lr(const char *group, double lr) {
    return detail::done(detail::invoke(nf_trainer_set_lr, get(), group, lr));
  }
  Returned<RunEnd> run(const nf_source *source, uint64_t max_steps, const OnStep &on_step, detail::Thrown *of_source) {
    struct Watch {
      const OnStep *on_step;
      detail::Thrown thrown;
      bool stopped;
    } watch{&on_step, {}, false};
    const nf_progress_fn forward = [](void *user, const nf_step_info *info) -> int32_t {
      auto *w = static_cast<Watch *>(user);
      return w->thrown.run(1, [&] {
        w->stopped = !(*w->on_step)(*info);
        return w->stopped ? 1 : 0;
      });
    };
    const Error e = detail::invoke(nf_train_run, get(), source, max_steps, on_step ? forward : nullptr,
                                   static_cast<void *>(&watch));
    watch.thrown.rethrow();
    if (of_source) of_source->rethrow();
    Target::rethrow(target_);
    return watch.stopped ? RunEnd::stopped : detail::done(e, RunEnd::finished);
  }
  std::shared_ptr<Target::State> target_;
};

// Trains on `data` and leaves the weights of the best validation in the model: see nf_fit. Validation rows are held out of
// the data unless `valid` has them. Options of scopes "fit", "trainer", "batches" and "session". on_progress may stop the
// run, which is not an error: FitInfo::stop says why it ended.
inline Returned<FitInfo> fit(Model &m, const Batch &data, const Options &options = {}, const OnFit &on_progress = {},
                             const Batch &valid = {}) {
  struct Watch {
    const OnFit *on_progress;
    detail::Thrown thrown;
  } watch{&on_progress, {}};
  const nf_fit_fn forward = [](void *user, const nf_fit_info *info) -> int32_t {
    auto *w = static_cast<Watch *>(user);
    return w->thrown.run(1, [&] { return (*w->on_progress)(*info) ? 0 : 1; });
  };
  FitInfo info = NF_FIT_INFO_INIT;
  const nf_batch rows = data.raw(), held_out = valid.raw();
  const Error e = options.error()
                      ? options.error()
                      : detail::invoke(nf_fit, m.get(), &rows, valid.none() ? nullptr : &held_out, options.get(),
                                       on_progress ? forward : nullptr, static_cast<void *>(&watch), &info);
  watch.thrown.rethrow();
  return detail::done(e, info);
}

// Score rows, and draw samples 0 .. n - 1 of the stream `seed`, with a session for this one call.
template <class T = float>
Returned<std::vector<T>> score(const Model &m, const View &x, const View &ctx = {}) {
  std::vector<T> out(detail::elements(x.rows()));
  const Error e = detail::invoke(nf_score, m.get(), x.raw(), ctx.raw(), Out(out).raw());
  return detail::done(e, std::move(out));
}
template <class T = float>
Returned<std::vector<T>> draw(const Model &m, int64_t n, uint64_t seed, const View &ctx = {}) {
  ModelInfo i = NF_MODEL_INFO_INIT;
  Error e = detail::invoke(nf_model_get_info, m.get(), &i);
  std::vector<T> out(e ? 0 : detail::elements(n, i.event_size));
  if (!e) e = detail::invoke(nf_draw, m.get(), seed, ctx.raw(), Out(out.data(), n, i.event_size).raw());
  return detail::done(e, std::move(out));
}

NF_HPP_END
#endif  // NF_HPP_TRAINER_HPP_
