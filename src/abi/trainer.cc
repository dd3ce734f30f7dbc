// nf_trainer: steps, the convenience loop, checkpoints.
#include <chrono>
#include <utility>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/abi/self_test.h"
#include "src/abi/sink.h"
#include "src/abi/target.h"
#include "src/io/atomic_file.h"
#include "src/train/checkpoint.h"

using namespace libnf;

nf_trainer::~nf_trainer() { model->has_trainer.store(false); }

namespace {

// Held by every call while it uses the trainer, so that a second thread gets an error instead of sharing its memory.
// Callbacks of nf_train_run are called without it: they may call the trainer.
class Use {
 public:
  explicit Use(const nf_trainer& t) : busy_(t.busy) {
    if (busy_.exchange(true, std::memory_order_acquire))
      fail(Code::state, "trainer in use by another thread; only one call at a time may use it");
  }
  ~Use() { busy_.store(false, std::memory_order_release); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  std::atomic<bool>& busy_;
};

// Another writer than this trainer changed the parameters.
void see_changes(nf_trainer& t) {
  const uint64_t now = t.model->generation.load();
  if (now != t.generation) t.trainer->parameters_changed();
  t.generation = now;
}

// Marks the parameters as changed by this trainer when it goes out of scope: a call that fails may still have initialized
// layers from data, or put the parameters of the last step back in place of the average.
class Changing {
 public:
  explicit Changing(nf_trainer& t) : t_(t) {}
  ~Changing() {
    t_.model->changed();
    t_.generation = t_.model->generation.load();
  }
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;

 private:
  nf_trainer& t_;
};

// The rows of a batch, checked against what the objective takes. NULL is a batch without streams.
TrainingRows rows_of(const nf_trainer& t, const nf_batch* batch) {
  const Density& model = *t.model->model;
  const Objective& objective = t.trainer->objective();
  const bool data = objective.kind().data;
  const nf_batch b = batch ? read_struct(batch, "batch") : nf_batch NF_BATCH_INIT;
  if (b.reserved) fail(Code::argument, "batch.reserved is %u, expected 0", b.reserved);
  if (b.part) fail(Code::argument, "batch.part is given, which only nf_fit reads: pass NULL");
  const TrainingRows r{data_of(b.x, "x", !data), data_of(b.ctx, "ctx", true), view_of(b.weight, "weight", true),
                       view_of(b.scores, "scores", true)};
  if (data) {
    const int64_t n = check_rows(r.x, "x", model.event());
    if (n < 1) fail(Code::shape, "x has 0 rows, a step needs at least 1");
    check_context(r.context, n, model.context());
    if (b.weight) need_shape(r.weight, "weight", {n});
    if (b.scores) check_rows(r.scores, "scores", model.event(), n);
  } else if (b.x || b.weight || b.scores) {
    fail(Code::argument, "%s is given, but the objective draws its rows from the model: pass NULL",
         b.x        ? "x"
         : b.weight ? "weight"
                    : "scores");
  }
  if (objective.samples() > 0) check_context(r.context, objective.samples(), model.context());
  return r;
}

// The rows and cotangents of a loss of the host.
TrainingRows rows_of(const nf_trainer& t, const nf_batch* batch, const nf_cotangents* given,
                     HostCotangents* cotangents) {
  const Density& model = *t.model->model;
  const nf_batch b = read_struct(batch, "batch");
  const nf_cotangents c = read_struct(given, "cotangents");
  if (c.direction != NF_FORWARD && c.direction != NF_INVERSE)
    fail(Code::argument, "cotangents.direction is %d, expected NF_FORWARD (0) or NF_INVERSE (1)", c.direction);
  if (b.reserved) fail(Code::argument, "batch.reserved is %u, expected 0", b.reserved);
  if (b.part) fail(Code::argument, "batch.part is given, which only nf_fit reads: pass NULL");
  if (b.weight || b.scores)
    fail(Code::argument, "batch.%s is given, but cotangents are those of the whole loss: pass NULL",
         b.weight ? "weight" : "scores");
  if (!c.out && !c.log_det && !c.log_prob)
    fail(Code::argument, "cotangents has neither out nor log_det nor log_prob: nothing to add");
  const bool inverse = c.direction == NF_INVERSE;
  TrainingRows r;
  r.x = inverse ? view_of(b.x, "x") : data_of(b.x, "x");
  r.context = data_of(b.ctx, "ctx", true);
  const int64_t n = check_rows(r.x, "x", inverse ? model.latent() : model.event());
  if (n < 1) fail(Code::shape, "x has 0 rows, expected at least 1");
  check_context(r.context, n, model.context());
  *cotangents = {inverse, view_of(c.out, "cotangents.out", true), view_of(c.log_det, "cotangents.log_det", true),
                 view_of(c.log_prob, "cotangents.log_prob", true)};
  if (c.out) check_rows(cotangents->out, "cotangents.out", inverse ? model.event() : model.latent(), n);
  if (c.log_det) need_shape(cotangents->log_det, "cotangents.log_det", {n});
  if (c.log_prob) need_shape(cotangents->log_prob, "cotangents.log_prob", {n});
  return r;
}

nf_step_info info_of(const StepResult& r, std::chrono::steady_clock::time_point begin) {
  nf_step_info info = NF_STEP_INFO_INIT;
  info.step = r.step;
  info.loss = r.loss;
  info.loss_error = r.loss_error;
  info.grad_norm = r.grad_norm;
  info.lr = r.lr;
  info.diverged = r.diverged;
  info.went_back = r.went_back;
  info.drift = r.drift.worst;
  info.drift_layer = static_cast<int32_t>(r.drift.place);
  info.kept_inputs = static_cast<int32_t>(r.kept_inputs);
  info.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return info;
}

nf_step_info one_step(nf_trainer& t, const nf_batch* batch) {
  const auto begin = std::chrono::steady_clock::now();
  const Use use(t);
  const TrainingRows rows = rows_of(t, batch);
  if (!std::exchange(t.looked_at_rows, true)) note_coarse_columns(*t.model, rows.x, rows.context);
  see_changes(t);
  const Changing changing(t);
  return info_of(t.trainer->step(rows), begin);
}

// A checkpoint has the parameters of the last step and no gradients.
void check_savable(const nf_trainer& t) {
  if (t.trainer->averaged())
    fail(Code::state, "the model holds the averaged parameters: nf_trainer_use_average(trainer, 0) goes first");
  if (t.trainer->accumulated())
    fail(Code::state,
         "accumulated gradients wait, which no checkpoint holds: nf_trainer_apply or nf_trainer_discard "
         "goes first");
}

}  // namespace

extern "C" {

nf_status nf_trainer_create(nf_model* m, const nf_options* options, const nf_collective* c, nf_trainer** out,
                            nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(out, "out");
    Collective collective;
    if (c) {
      const nf_collective given = read_struct(c, "collective");
      if (given.world < 1 || given.rank < 0 || given.rank >= given.world)
        fail(Code::argument, "collective.rank %d of world %d", given.rank, given.world);
      if (given.world > 1 && !given.allreduce_sum) fail(Code::argument, "collective.allreduce_sum is NULL");
      collective.rank = given.rank;
      collective.world = given.world;
      collective.user = given.user;
      collective.allreduce_sum = given.allreduce_sum;
    }
    check_scopes(options, {"trainer"}, "nf_trainer_create");
    const TrainerConfig config = trainer_options(options);
    if (m->state->has_trainer.exchange(true)) fail(Code::state, "the model already has a trainer: free it first");
    auto t = std::unique_ptr<nf_trainer>(new (std::nothrow) nf_trainer{m->state, nullptr, m->state->generation.load()});
    if (!t) {
      m->state->has_trainer.store(false);
      throw std::bad_alloc();
    }
    RuntimeState& rt = *m->state->runtime;
    t->trainer = std::make_unique<Trainer>(rt.allocator(), *rt.executor, *m->state->model, config, collective);
    *out = t.release();
  });
}

nf_status nf_trainer_set_target(nf_trainer* t, const nf_target* target, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    need(target, "target");
    const ObjectiveKind& kind = t->trainer->objective().kind();
    if (!kind.target)
      fail(Code::state,
           "objective \"%s\" has no target: set the option \"trainer.objective\", for example to reverse_kl",
           kind.name);
    if (target->target->event != t->model->model->columns())
      fail(Code::shape, "the target has %lld column%s, the model %lld", static_cast<long long>(target->target->event),
           target->target->event == 1 ? "" : "s", static_cast<long long>(t->model->model->columns()));
    t->trainer->set_target(target->target);
  });
}

size_t nf_trainer_bytes(const nf_trainer* t) NF_NOEXCEPT { return t ? t->trainer->bytes() : 0; }
uint64_t nf_trainer_step_count(const nf_trainer* t) NF_NOEXCEPT { return t ? t->trainer->steps() : 0; }

nf_status nf_trainer_options(const nf_trainer* t, nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    if (!write) fail(Code::argument, "write is NULL");
    const std::string text = settings_of(t->trainer->config()).dump();
    CallbackSink(write, user).write(text.data(), text.size());
  });
}

nf_status nf_train_step(nf_trainer* t, const nf_batch* batch, nf_step_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    if (info) struct_size(info, "info");
    const nf_step_info r = one_step(*t, batch);
    if (info) write_struct(info, r);
  });
}

nf_status nf_train_run(nf_trainer* t, const nf_source* source, uint64_t max_steps, nf_progress_fn on_step, void* user,
                       nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    nf_source from = NF_SOURCE_INIT;
    if (source || t->trainer->objective().kind().data) {
      from = read_struct(source, "source");
      if (!from.next) fail(Code::argument, "source.next is NULL");
    }
    if (!source && !on_step && max_steps == 0)
      fail(Code::argument, "max_steps is 0 and there is neither source nor on_step: nothing would end the run");
    while (max_steps == 0 || t->trainer->steps() < max_steps) {
      nf_batch batch = NF_BATCH_INIT;
      const int32_t more = from.next ? from.next(from.user, t->trainer->steps(), &batch) : 1;
      if (more < 0) fail(Code::callback, "source.next returned %d", more);
      if (more == 0) return;
      const nf_step_info info = one_step(*t, &batch);
      if (on_step && on_step(user, &info) != 0)
        fail(Code::cancelled, "stopped by on_step after step %llu", static_cast<unsigned long long>(info.step));
    }
  });
}

nf_status nf_trainer_observe(nf_trainer* t, double validation_loss, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    t->trainer->observe_validation(validation_loss);
  });
}

nf_status nf_trainer_save(const nf_trainer* t, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    need(path, "path");
    check_savable(*t);
    AtomicFile file(path);
    write_checkpoint(file, *t->model->model, t->model->notes, *t->trainer, self_test_of(*t->model));
    file.commit();
  });
}

nf_status nf_trainer_save_stream(const nf_trainer* t, nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    if (!write) fail(Code::argument, "write is NULL");
    check_savable(*t);
    CallbackSink sink(write, user);
    write_checkpoint(sink, *t->model->model, t->model->notes, *t->trainer, self_test_of(*t->model));
  });
}

nf_status nf_trainer_restore(nf_trainer* t, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    need(path, "path");
    const FileBytes file = FileBytes::read(t->model->runtime->allocator(), path);
    const Changing changing(*t);
    read_checkpoint(file.bytes(), *t->model->model, t->model->notes, *t->trainer);
  });
}

nf_status nf_trainer_restore_memory(nf_trainer* t, const void* bytes, size_t n, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    if (!bytes) fail(Code::argument, "bytes is NULL");
    const Changing changing(*t);
    read_checkpoint({static_cast<const std::byte*>(bytes), n}, *t->model->model, t->model->notes, *t->trainer);
  });
}

nf_status nf_trainer_set_lr(nf_trainer* t, const char* group, double lr, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const Use use(need(t, "trainer"));
    t->trainer->set_lr(group, lr);
  });
}

nf_status nf_trainer_restart(nf_trainer* t, int32_t keep_moments, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    if (keep_moments != 0 && keep_moments != 1)
      fail(Code::argument, "keep_moments is %d, expected 0 or 1", keep_moments);
    const Changing changing(*t);
    t->trainer->restart(keep_moments == 1);
  });
}

nf_status nf_trainer_evaluate(nf_trainer* t, const nf_batch* batch, double* loss, double* loss_error,
                              nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    need(loss, "loss");
    const TrainingRows rows = rows_of(*t, batch);
    see_changes(*t);
    const Loss l = t->trainer->evaluate(rows);
    *loss = l.value;
    if (loss_error) *loss_error = l.error;
  });
}

nf_status nf_trainer_accumulate(nf_trainer* t, const nf_batch* batch, const nf_cotangents* c,
                                nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    HostCotangents cotangents;
    const TrainingRows rows = rows_of(*t, batch, c, &cotangents);
    see_changes(*t);
    const Changing changing(*t);
    t->trainer->accumulate(rows, cotangents);
  });
}

nf_status nf_trainer_apply(nf_trainer* t, double loss, nf_step_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    if (info) struct_size(info, "info");
    const auto begin = std::chrono::steady_clock::now();
    see_changes(*t);
    const Changing changing(*t);
    const nf_step_info r = info_of(t->trainer->apply(loss), begin);
    if (info) write_struct(info, r);
  });
}

nf_status nf_trainer_discard(nf_trainer* t, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const Use use(need(t, "trainer"));
    t->trainer->discard();
  });
}

nf_status nf_trainer_use_average(nf_trainer* t, int32_t on, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const Use use(*t);
    if (on != 0 && on != 1) fail(Code::argument, "on is %d, expected 0 or 1", on);
    const Changing changing(*t);
    t->trainer->use_average(on == 1);
  });
}

void nf_trainer_free(nf_trainer* t) NF_NOEXCEPT { delete t; }

}  // extern "C"
