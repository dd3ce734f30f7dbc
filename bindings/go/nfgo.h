/* What the Go files share: the frame of a call, and functions that have Go callbacks as arguments. */
#ifndef NFGO_H_
#define NFGO_H_
#include <nf/nf.h>
#include <nf/nf_data.h>
#include <nf/nf_infer.h>
#include <stdlib.h>

/* The structs of one call, in C memory. Views point to pinned memory of Go, which cgo allows C memory to do. */
enum { NFGO_IN = 10, NFGO_OUT = 6 };
typedef struct nfgo_frame {
  nf_error err;
  double number;
  nf_view in[NFGO_IN];
  nf_out out[NFGO_OUT];
  nf_batch batch[2];
  nf_cotangents cotangents;
} nfgo_frame;
nfgo_frame *nfgo_frame_create(void); /* NULL when out of memory */

/* Callbacks get cgo.Handles, which are numbers, as `user`. */
nf_status nfgo_options_json(const nf_options *o, uintptr_t call, nf_error *err);
nf_status nfgo_model_describe(const nf_model *m, uintptr_t call, nf_error *err);
nf_status nfgo_model_save_stream(const nf_model *m, uintptr_t call, nf_error *err);
nf_status nfgo_table_describe(nf_runtime *rt, const char *path, const void *bytes, size_t size,
                              const nf_options *options, uintptr_t call, nf_error *err);
nf_status nfgo_trainer_options(const nf_trainer *t, uintptr_t call, nf_error *err);
nf_status nfgo_trainer_save_stream(const nf_trainer *t, uintptr_t call, nf_error *err);

/* host: 0, or the handle of the functions; which of them there are is said by the flags. */
nf_status nfgo_runtime_create(const nf_options *options, uintptr_t host, int allocates, uint32_t concurrency, int logs,
                              nf_runtime **out, nf_error *err);
void nfgo_body(void *body, void *ctx, uint32_t i);

/* Functions that may evaluate a target in Go. `call` is the handle of the Go call, which the callback gets back: a target
 * may be used by several calls at once, so its own `user` cannot say which of them failed. */
nf_status nfgo_target_create(nf_runtime *rt, int64_t columns, uintptr_t target, int wide, nf_target **out,
                             nf_error *err);
nf_status nfgo_target_log_density(uintptr_t call, const nf_target *t, const nf_view *x, const nf_view *ctx,
                                  const nf_out *log_density, const nf_out *gradient, nf_error *err);
nf_status nfgo_train_step(uintptr_t call, nf_trainer *t, const nf_batch *batch, nf_step_info *info, nf_error *err);
nf_status nfgo_trainer_evaluate(uintptr_t call, nf_trainer *t, const nf_batch *batch, double *loss, double *loss_error,
                                nf_error *err);
nf_status nfgo_importance(uintptr_t call, nf_session *s, const nf_target *target, uint64_t seed, uint64_t first,
                          int64_t n, const nf_view *ctx, const nf_out *x, const nf_out *log_weight,
                          nf_importance_info *info, nf_error *err);
nf_status nfgo_metropolis(uintptr_t call, nf_runtime *rt, const nf_target *target, nf_session *proposal,
                          const nf_options *options, const nf_view *start, const nf_view *ctx, const nf_out *out,
                          nf_metropolis_info *info, nf_error *err);

/* source: NULL (none), or of nf_batches_source; go_source: 1 asks the call for batches instead. */
nf_status nfgo_train_run(uintptr_t call, nf_trainer *t, const nf_source *source, int go_source, uint64_t max_steps,
                         int reports, nf_error *err);
nf_status nfgo_fit(uintptr_t call, nf_model *m, const nf_batch *data, const nf_batch *valid, const nf_options *options,
                   int reports, nf_fit_info *info, nf_error *err);
nf_status nfgo_trainer_create(nf_model *m, const nf_options *options, int32_t rank, int32_t world, uintptr_t call,
                              nf_trainer **out, nf_error *err);

/* A target that passes on to another one until `stop` is set, by an atomic store of any thread. */
typedef struct nfgo_guard {
  const nf_target *inner;
  int32_t stop;
  nf_error err; /* of the inner target */
} nfgo_guard;
nfgo_guard *nfgo_guard_create(const nf_target *inner);
nf_status nfgo_guard_target(nfgo_guard *g, nf_runtime *rt, int64_t columns, int wide, nf_target **out, nf_error *err);

#endif /* NFGO_H_ */
