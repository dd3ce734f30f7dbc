#include <nfgo.h> /* go passes the folder of the package to the compiler */

#include "_cgo_export.h"

nfgo_frame *nfgo_frame_create(void) {
  static const nf_view view = NF_VIEW_INIT;
  static const nf_out out = NF_OUT_INIT;
  static const nf_batch batch = NF_BATCH_INIT;
  static const nf_cotangents cotangents = NF_COTANGENTS_INIT;
  static const nf_error err = NF_ERROR_INIT;
  nfgo_frame *f = calloc(1, sizeof *f);
  int i;
  if (!f) return NULL;
  for (i = 0; i < NFGO_IN; ++i) f->in[i] = view;
  for (i = 0; i < NFGO_OUT; ++i) f->out[i] = out;
  for (i = 0; i < 2; ++i) f->batch[i] = batch;
  f->cotangents = cotangents;
  f->err = err;
  return f;
}

/* ---- text and files ---- */
static int32_t write_bytes(void *user, const void *bytes, size_t n) {
  return nfgoWrite((uintptr_t)user, (void *)bytes, n);
}
nf_status nfgo_options_json(const nf_options *o, uintptr_t call, nf_error *err) {
  return nf_options_json(o, write_bytes, (void *)call, err);
}
nf_status nfgo_model_describe(const nf_model *m, uintptr_t call, nf_error *err) {
  return nf_model_describe(m, write_bytes, (void *)call, err);
}
nf_status nfgo_model_save_stream(const nf_model *m, uintptr_t call, nf_error *err) {
  return nf_model_save_stream(m, write_bytes, (void *)call, err);
}
nf_status nfgo_table_describe(nf_runtime *rt, const char *path, const void *bytes, size_t size,
                              const nf_options *options, uintptr_t call, nf_error *err) {
  return nf_table_describe(rt, path, bytes, size, options, write_bytes, (void *)call, err);
}
nf_status nfgo_trainer_options(const nf_trainer *t, uintptr_t call, nf_error *err) {
  return nf_trainer_options(t, write_bytes, (void *)call, err);
}
nf_status nfgo_trainer_save_stream(const nf_trainer *t, uintptr_t call, nf_error *err) {
  return nf_trainer_save_stream(t, write_bytes, (void *)call, err);
}

/* ---- runtime ---- */
static void *host_alloc(void *user, size_t size, size_t align) {
  return (void *)(uintptr_t)nfgoAlloc((uintptr_t)user, size, align);
}
static void host_free(void *user, void *p, size_t size, size_t align) { nfgoFree((uintptr_t)user, p, size, align); }
static void host_parallel(void *user, uint32_t n, void (*body)(void *ctx, uint32_t i), void *ctx) {
  nfgoParallel((uintptr_t)user, n, (void *)(uintptr_t)body, ctx);
}
static void host_log(void *user, int32_t level, const char *text) { nfgoLog((uintptr_t)user, level, (char *)text); }

void nfgo_body(void *body, void *ctx, uint32_t i) { ((void (*)(void *, uint32_t))(uintptr_t)body)(ctx, i); }

nf_status nfgo_runtime_create(const nf_options *options, uintptr_t host, int allocates, uint32_t concurrency, int logs,
                              nf_runtime **out, nf_error *err) {
  nf_allocator a = NF_ALLOCATOR_INIT;
  nf_executor e = NF_EXECUTOR_INIT;
  a.user = e.user = (void *)host;
  a.alloc = host_alloc;
  a.free = host_free;
  e.concurrency = concurrency;
  e.parallel_for = host_parallel;
  return nf_runtime_create_v(NF_VERSION, options, allocates ? &a : NULL, concurrency ? &e : NULL,
                             logs ? host_log : NULL, (void *)host, out, err);
}

/* ---- targets ---- */
/* The Go call that this thread is in, if it may evaluate a target in Go. Callbacks run on the thread that entered. */
static __thread uintptr_t current_call;

#define IN_CALL(call, expression)       \
  const uintptr_t outer = current_call; \
  nf_status status;                     \
  current_call = (call);                \
  status = (expression);                \
  current_call = outer;                 \
  return status

static int32_t target(void *user, const nf_view *x, const nf_view *ctx, const nf_out *log_density,
                      const nf_out *gradient) {
  return nfgoTarget((uintptr_t)user, current_call, (nf_view *)x, (nf_view *)ctx, (nf_out *)log_density,
                    (nf_out *)gradient);
}
nf_status nfgo_target_create(nf_runtime *rt, int64_t columns, uintptr_t user, int wide, nf_target **out,
                             nf_error *err) {
  return (wide ? nf_target_create_callback_f64 : nf_target_create_callback)(rt, columns, target, (void *)user, out,
                                                                            err);
}
nf_status nfgo_target_log_density(uintptr_t call, const nf_target *t, const nf_view *x, const nf_view *ctx,
                                  const nf_out *log_density, const nf_out *gradient, nf_error *err) {
  IN_CALL(call, nf_target_log_density(t, x, ctx, log_density, gradient, err));
}
nf_status nfgo_train_step(uintptr_t call, nf_trainer *t, const nf_batch *batch, nf_step_info *info, nf_error *err) {
  IN_CALL(call, nf_train_step(t, batch, info, err));
}
nf_status nfgo_trainer_evaluate(uintptr_t call, nf_trainer *t, const nf_batch *batch, double *loss, double *loss_error,
                                nf_error *err) {
  IN_CALL(call, nf_trainer_evaluate(t, batch, loss, loss_error, err));
}
nf_status nfgo_importance(uintptr_t call, nf_session *s, const nf_target *t, uint64_t seed, uint64_t first, int64_t n,
                          const nf_view *ctx, const nf_out *x, const nf_out *log_weight, nf_importance_info *info,
                          nf_error *err) {
  IN_CALL(call, nf_importance(s, t, seed, first, n, ctx, x, log_weight, info, err));
}
nf_status nfgo_metropolis(uintptr_t call, nf_runtime *rt, const nf_target *t, nf_session *proposal,
                          const nf_options *options, const nf_view *start, const nf_view *ctx, const nf_out *out,
                          nf_metropolis_info *info, nf_error *err) {
  IN_CALL(call, nf_metropolis(rt, t, proposal, options, start, ctx, out, info, err));
}

static int32_t guarded(void *user, const nf_view *x, const nf_view *ctx, const nf_out *log_density,
                       const nf_out *gradient) {
  nfgo_guard *g = user;
  nf_status status;
  if (__atomic_load_n(&g->stop, __ATOMIC_RELAXED)) return 1;
  status = nf_target_log_density(g->inner, x, ctx, log_density, gradient, &g->err);
  return status == NF_OK ? 0 : status == NF_ERR_CANCELLED ? 1 : -1;
}
nfgo_guard *nfgo_guard_create(const nf_target *inner) {
  static const nf_error err = NF_ERROR_INIT;
  nfgo_guard *g = calloc(1, sizeof *g);
  if (!g) return NULL;
  g->inner = inner;
  g->err = err;
  return g;
}
nf_status nfgo_guard_target(nfgo_guard *g, nf_runtime *rt, int64_t columns, int wide, nf_target **out, nf_error *err) {
  return (wide ? nf_target_create_callback_f64 : nf_target_create_callback)(rt, columns, guarded, g, out, err);
}

/* ---- training ---- */
static int32_t next_batch(void *user, uint64_t step, nf_batch *batch) { return nfgoNext((uintptr_t)user, step, batch); }
static int32_t on_step(void *user, const nf_step_info *info) { return nfgoStep((uintptr_t)user, (nf_step_info *)info); }
static int32_t on_fit(void *user, const nf_fit_info *info) { return nfgoFit((uintptr_t)user, (nf_fit_info *)info); }
static int32_t allreduce(void *user, void *buf, size_t n, nf_dtype dtype) {
  return nfgoReduce((uintptr_t)user, buf, n, dtype);
}

nf_status nfgo_train_run(uintptr_t call, nf_trainer *t, const nf_source *source, int go_source, uint64_t max_steps,
                         int reports, nf_error *err) {
  nf_source s = NF_SOURCE_INIT;
  s.user = (void *)call;
  s.next = next_batch;
  IN_CALL(call, nf_train_run(t, go_source ? &s : source, max_steps, reports ? on_step : NULL, (void *)call, err));
}
nf_status nfgo_fit(uintptr_t call, nf_model *m, const nf_batch *data, const nf_batch *valid, const nf_options *options,
                   int reports, nf_fit_info *info, nf_error *err) {
  return nf_fit(m, data, valid, options, reports ? on_fit : NULL, (void *)call, info, err);
}
nf_status nfgo_trainer_create(nf_model *m, const nf_options *options, int32_t rank, int32_t world, uintptr_t call,
                              nf_trainer **out, nf_error *err) {
  nf_collective c = NF_COLLECTIVE_INIT;
  c.rank = rank;
  c.world = world;
  c.user = (void *)call;
  c.allreduce_sum = allreduce;
  return nf_trainer_create(m, options, world ? &c : NULL, out, err);
}
