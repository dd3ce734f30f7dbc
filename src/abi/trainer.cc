// nf_trainer: steps, the convenience loop, checkpoints.
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/abi/target.h"
#include "src/io/atomic_file.h"
#include "src/train/checkpoint.h"

using namespace nf;

nf_trainer::~nf_trainer() { model->has_trainer.store(false); }

namespace {

nf_step_info one_step(nf_trainer& t, const nf_view* x, const nf_view* ctx, const nf_view* weight) {
  const auto begin = std::chrono::steady_clock::now();
  const Density& model = *t.model->model;
  const Objective& objective = t.trainer->objective();
  const View xv = view_of(x, "x", !objective.kind().data), c = view_of(ctx, "ctx", true),
             w = view_of(weight, "weight", true);
  if (objective.kind().data) {
    const int64_t n = check_rows(xv, "x", model.event());
    if (n < 1) fail(Code::shape, "x has 0 rows, a step needs at least 1");
    check_context(c, n, model.context());
    if (weight) need_shape(w, "weight", {n});
  } else if (x || weight) {
    fail(Code::argument, "%s is given, but the objective draws its rows from the model: pass NULL", x ? "x" : "weight");
  }
  if (objective.samples() > 0) check_context(c, objective.samples(), model.context());
  if (const uint64_t v = t.model->version.load(); v != t.version) {
    t.trainer->parameters_changed();
    t.version = v;
  }
  const StepResult r = t.trainer->step(xv, c, w);
  nf_step_info info = NF_STEP_INFO_INIT;
  info.step = r.step;
  info.loss = r.loss;
  info.loss_error = r.loss_error;
  info.grad_norm = r.grad_norm;
  info.lr = r.lr;
  info.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return info;
}

// The size of nf_step_info before it had loss_error.
constexpr uint32_t kOldInfo = offsetof(nf_step_info, loss_error);

// A view the source left without data is absent.
const nf_view* present(const nf_view& v) { return v.data ? &v : nullptr; }

}  // namespace

extern "C" {

nf_status nf_trainer_create(nf_model* m, const nf_options* options, const nf_collective* c, nf_trainer** out,
                            nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(out, "out");
    Collective collective;
    if (c) {
      need_struct(c, "collective");
      if (c->world < 1 || c->rank < 0 || c->rank >= c->world)
        fail(Code::argument, "collective.rank %d of world %d", c->rank, c->world);
      if (c->world > 1 && !c->allreduce_sum) fail(Code::argument, "collective.allreduce_sum is NULL");
      collective.rank = c->rank;
      collective.world = c->world;
      collective.user = c->user;
      collective.allreduce_sum = c->allreduce_sum;
    }
    const TrainerConfig config = trainer_options(options);
    if (m->state->has_trainer.exchange(true)) fail(Code::state, "the model already has a trainer: free it first");
    auto t = std::unique_ptr<nf_trainer>(new (std::nothrow) nf_trainer{m->state, nullptr, m->state->version.load()});
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
    need(target, "target");
    const ObjectiveKind& kind = t->trainer->objective().kind();
    if (!kind.target)
      fail(Code::state, "objective \"%s\" has no target: set the option \"objective\", for example reverse_kl",
           kind.name);
    if (target->target->event != t->model->model->columns())
      fail(Code::shape, "the target has %lld column%s, the model %lld", static_cast<long long>(target->target->event),
           target->target->event == 1 ? "" : "s", static_cast<long long>(t->model->model->columns()));
    t->trainer->set_target(target->target);
  });
}

size_t nf_trainer_bytes(const nf_trainer* t) NF_NOEXCEPT { return t ? t->trainer->bytes() : 0; }
uint64_t nf_trainer_step_count(const nf_trainer* t) NF_NOEXCEPT { return t ? t->trainer->steps() : 0; }

nf_status nf_train_step(nf_trainer* t, const nf_view* x, const nf_view* ctx, const nf_view* weight, nf_step_info* info,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    if (info && info->struct_size != kOldInfo) need_struct(info, "info");
    const nf_step_info r = one_step(*t, x, ctx, weight);
    if (!info) return;
    const uint32_t size = info->struct_size;
    std::memcpy(info, &r, std::min<size_t>(size, sizeof r));
    info->struct_size = size;
  });
}

nf_status nf_train_run(nf_trainer* t, const nf_source* source, uint64_t max_steps, nf_progress_fn on_step, void* user,
                       nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    const bool data = t->trainer->objective().kind().data;
    if (source || data) {
      need_struct(source, "source");
      if (!source->next) fail(Code::argument, "source.next is NULL");
    }
    if (!source && !on_step && max_steps == 0)
      fail(Code::argument, "max_steps is 0 and there is neither source nor on_step: nothing would end the run");
    while (max_steps == 0 || t->trainer->steps() < max_steps) {
      nf_view x = NF_VIEW_INIT, ctx = NF_VIEW_INIT, weight = NF_VIEW_INIT;
      const int32_t more = source ? source->next(source->user, t->trainer->steps(), &x, &ctx, &weight) : 1;
      if (more < 0) fail(Code::callback, "source.next returned %d", more);
      if (more == 0) return;
      const nf_step_info info = one_step(*t, data ? &x : present(x), present(ctx), present(weight));
      if (on_step && on_step(user, &info) != 0)
        fail(Code::cancelled, "stopped by on_step after step %llu", static_cast<unsigned long long>(info.step));
    }
  });
}

nf_status nf_trainer_observe(nf_trainer* t, double validation_loss, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    t->trainer->observe_validation(validation_loss);
  });
}

nf_status nf_trainer_save(const nf_trainer* t, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    need(path, "path");
    if (t->trainer->averaged())
      fail(Code::state, "the model holds the averaged parameters: nf_trainer_use_average(trainer, 0) goes first");
    AtomicFile file(path);
    write_checkpoint(file, *t->model->model, t->model->notes, *t->trainer);
    file.commit();
  });
}

nf_status nf_trainer_restore(nf_trainer* t, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    need(path, "path");
    const FileBytes file = FileBytes::read(t->model->runtime->allocator(), path);
    read_checkpoint(file.bytes(), *t->model->model, t->model->notes, *t->trainer);
  });
}

nf_status nf_trainer_use_average(nf_trainer* t, int32_t on, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "trainer");
    if (on != 0 && on != 1) fail(Code::argument, "on is %d, expected 0 or 1", on);
    t->trainer->use_average(on == 1);
  });
}

void nf_trainer_free(nf_trainer* t) NF_NOEXCEPT { delete t; }

}  // extern "C"
