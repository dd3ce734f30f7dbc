// Implements nf_fit.
#include "src/train/fit.h"

#include <algorithm>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/mapped_rows.h"
#include "src/abi/options.h"
#include "src/abi/self_test.h"

using namespace libnf;

namespace {

constexpr double kLargeHoldout = 100'000;  // most rows of a mapped file that are held out by default

// The only trainer of a model, for the time of a call.
class TrainerLock {
 public:
  explicit TrainerLock(ModelState& model) : model_(model) {
    if (model.has_trainer.exchange(true)) fail(Code::state, "the model already has a trainer: free it first");
  }
  ~TrainerLock() { model_.has_trainer.store(false); }
  TrainerLock(const TrainerLock&) = delete;
  TrainerLock& operator=(const TrainerLock&) = delete;

 private:
  ModelState& model_;
};

Batches::Streams rows_of(const nf_batch* batch, const char* name, const Density& model, View* part) {
  const nf_batch b = read_struct(batch, name);
  if (b.reserved) fail(Code::argument, "%s.reserved is %u, expected 0", name, b.reserved);
  Batches::Streams s{data_of(b.x, "x"), data_of(b.ctx, "ctx", true), view_of(b.weight, "weight", true),
                     view_of(b.scores, "scores", true)};
  const int64_t n = check_rows(s.x, "x", model.event());
  if (n < 1) fail(Code::shape, "%s.x has 0 rows, expected at least 1", name);
  check_context(s.context, n, model.context());
  if (b.weight) need_shape(s.weight, "weight", {n});
  if (b.scores) check_rows(s.scores, "scores", model.event(), n);
  if (part) *part = view_of(b.part, "part", true);
  if (b.part) {
    if (!part) fail(Code::argument, "%s.part is given, but these rows are all validated with: pass NULL", name);
    need_shape(*part, "part", {n});
  }
  return s;
}

FitPlan plan_of(const nf_batch* data, const nf_batch* valid, const nf_options* options, const Density& model,
                MappedRows& mapped, RuntimeState& rt) {
  check_scopes(options, {"fit", "trainer", "batches", "session"}, "nf_fit");
  const auto given = [&](const char* key) { return options && options->values.count(key) > 0; };
  FitPlan plan;
  plan.data = rows_of(data, "data", model, &plan.part);
  if (valid) plan.valid = rows_of(valid, "valid", model, nullptr);
  if (plan.valid.scores.data) fail(Code::argument, "valid.scores is given, but validation rows are scored: pass NULL");
  for (const Batches::Streams* s : {&plan.data, &plan.valid})
    for (const View* v : {&s->x, &s->context, &s->weight, &s->scores}) mapped.watch(rt, *v);
  plan.config = fit_options(options);
  plan.trainer = trainer_options(options);
  plan.session = session_options(options);
  const BatchOptions b = batch_options(options);
  plan.batches.batch = b.batch;
  plan.batches.order = b.order;
  plan.batches.seed = b.seed;
  plan.batches.part = b.part;
  plan.batches.smallest = b.smallest;
  plan.batches.flip = b.flip;
  const bool part = given("batches.part_begin") || given("batches.part_end");
  if (!part) plan.batches.part.seed = static_cast<uint64_t>(plan.config.split_seed);
  plan.by_blocks = mapped.any() || part;
  if (!mapped.any()) return plan;
  // Files that may be larger than memory are read in runs.
  const int64_t n = plan.data.x.shape[0];
  if (!given("batches.order")) plan.batches.order = Order::blocks;
  if (!given("batches.block")) plan.batches.part.block = n < 1000 ? 1 : std::clamp<int64_t>(n / 1000, 16, 1024);
  if (!given("fit.holdout"))
    plan.config.holdout = std::min(plan.config.holdout, kLargeHoldout / static_cast<double>(n));
  return plan;
}

nf_fit_info info_of(const FitInfo& i) {
  nf_fit_info out = NF_FIT_INFO_INIT;
  out.validated = i.validated;
  out.improved = i.improved;
  out.stop = static_cast<int32_t>(i.stop);
  out.step = i.step;
  out.planned = i.planned;
  out.best_step = i.best_step;
  out.steps_per_epoch = i.steps_per_epoch;
  out.train_rows = i.train_rows;
  out.valid_rows = i.valid_rows;
  out.loss = i.loss;
  out.train = i.train;
  out.valid = i.valid;
  out.valid_error = i.valid_error;
  out.best = i.best;
  out.lr = i.lr;
  out.grad_norm = i.grad_norm;
  out.seconds = i.seconds;
  out.bad_rows = i.bad_rows;
  out.bad_row = i.bad_row;
  out.valid_rest = i.valid_rest;
  out.batch_rows = i.batch_rows;
  out.merged_rows = i.merged_rows;
  out.valid_every = i.valid_every;
  out.diverged_at = i.diverged_at;
  out.went_back = i.went_back;
  out.point = i.point;
  return out;
}

static_assert(static_cast<int>(FitStop::finished) == NF_STOP_FINISHED &&
              static_cast<int>(FitStop::patience) == NF_STOP_PATIENCE &&
              static_cast<int>(FitStop::requested) == NF_STOP_REQUESTED);

}  // namespace

extern "C" {

nf_status nf_fit(nf_model* m, const nf_batch* data, const nf_batch* valid, const nf_options* options,
                 nf_fit_fn on_progress, void* user, nf_fit_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    if (info) struct_size(info, "info");
    const std::shared_ptr<ModelState> state = m->state;
    RuntimeState& rt = *state->runtime;
    MappedRows mapped;
    const FitPlan plan = plan_of(data, valid, options, *state->model, mapped, rt);
    note_coarse_columns(*state, plan.data.x, plan.data.context);
    const TrainerLock lock(*state);
    FitHooks hooks;
    if (on_progress)
      hooks.progress = [&](const FitInfo& i) {
        const nf_fit_info now = info_of(i);
        return on_progress(user, &now) != 0;
      };
    if (mapped.any()) {
      hooks.before_read = [&] { mapped.check(); };
      hooks.after_read = [&](int64_t rows) { mapped.read(rows); };
    }
    hooks.changed = [&] { state->changed(); };
    hooks.extra = [&] { return self_test_of(*state); };
    const FitInfo last = fit(rt.allocator(), *rt.executor, *state->model, state->notes, plan, hooks);
    if (info) write_struct(info, info_of(last));
  });
}

}  // extern "C"
