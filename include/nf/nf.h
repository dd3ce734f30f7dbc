/* nf.h - libnf: normalizing flows behind a plain C ABI.
 *
 * A model is data: a JSON spec (nf_layers_describe lists every layer) and parameters. A session scores and samples
 * with it, a trainer fits it. New flows add layers to the spec, never symbols to this header.
 *
 * Rules that hold for every function below
 *
 *   R1  Returns nf_status; 0 is success. From 1.0 on a code never changes its meaning; new ones may be added.
 *
 *   R2  On error every out-parameter is left untouched and nothing leaks; only the memory behind an output view may
 *       have been partly written when the error came up while computing.
 *
 *   R3  The last parameter is `nf_error *err`: caller-owned, may be NULL, may hold anything before the call except
 *       struct_size. It is written on error only. There is no global and no thread-local error (goroutines change
 *       threads).
 *
 *   R4  X_create returns an owned handle; X_free(NULL) is a no-op and returns void. Handles keep what they were made
 *       from alive: free them in any order.
 *
 *   R5  const char* and const T* returned by getters are borrowed: valid until the next non-const call on the handle.
 *       Strings are UTF-8 and NUL-terminated.
 *
 *   R6  Thread class in brackets: [any] callable from any thread at any time; [shared] many threads may call at once
 *       on one handle; [excl] the caller must serialise the calls on one handle. Every X_free is [excl] on its handle.
 *
 *   R7  Callbacks run only on the thread that entered libnf (allocators and executors excepted, which must be callable
 *       from any thread), with no lock held, and must not unwind (no C++ throw, Go/Rust panic, longjmp).
 *
 *   R8  libnf never prints, aborts, exits, installs signal handlers, changes the FP mode or locale of the caller, reads
 *       environment variables, or starts threads other than those of nf_runtime_create.
 *
 *   R9  Public structs start with struct_size = sizeof(the struct): set it, so that old callers and new libraries (and
 *       the reverse) understand each other. Every NF_X_INIT macro does.
 *
 * Directions: forward is data x -> latent z, inverse is z -> x. log_det is one number per row,
 * log |det dz/dx| for forward and log |det dx/dz| for inverse, in nats.
 */
#ifndef NF_H_
#define NF_H_
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define NF_API __attribute__((visibility("default")))
#define NF_MUST_CHECK __attribute__((warn_unused_result))
#else
#define NF_API
#define NF_MUST_CHECK
#endif
#ifdef __cplusplus
#define NF_NOEXCEPT noexcept
extern "C" {
#else
#define NF_NOEXCEPT
#endif

/* ---- version ------------------------------------------------------------------------------------------------- */
#define NF_VERSION_MAJOR 0
#define NF_VERSION_MINOR 1
#define NF_VERSION_PATCH 0
#define NF_VERSION (NF_VERSION_MAJOR * 10000 + NF_VERSION_MINOR * 100 + NF_VERSION_PATCH)
/* [any] Version of the loaded library, to compare with NF_VERSION of the header. */
NF_API uint32_t nf_version(void) NF_NOEXCEPT;
/* [any] For people and bug reports: "0.1.0 (simd AVX3)". */
NF_API const char *nf_version_string(void) NF_NOEXCEPT;

/* ---- status -------------------------------------------------------------------------------------------------- */
typedef int32_t nf_status;
enum {
  NF_OK = 0,
  NF_ERR_ARGUMENT = 1,      /* NULL, a bad struct_size, flag, index or name        */
  NF_ERR_STATE = 2,         /* right call at the wrong time                        */
  NF_ERR_SHAPE = 3,         /* a view's dtype, rank or extents are bad, or unfit   */
  NF_ERR_SPEC = 4,          /* the model spec or an option is invalid              */
  NF_ERR_NOMEM = 10,        /* the allocator returned NULL, or a limit was reached */
  NF_ERR_IO = 20,           /* operating system error; nf_error.os_errno is set    */
  NF_ERR_FORMAT = 21,       /* the file is not what it should be                   */
  NF_ERR_CHECKSUM = 22,     /* the file is well formed, its content was changed    */
  NF_ERR_VERSION = 23,      /* file or header is newer than this library           */
  NF_ERR_NUMERIC = 30,      /* NaN or infinity in a loss, gradient or parameter    */
  NF_ERR_NOT_INVERTED = 31, /* a numerical inverse missed its tolerance            */
  NF_ERR_CANCELLED = 40,    /* a callback asked to stop                            */
  NF_ERR_CALLBACK = 41,     /* a callback failed                                   */
  NF_ERR_UNSUPPORTED = 50,  /* not possible in this configuration                  */
  NF_ERR_INTERNAL = 60      /* a bug in libnf: please report it                    */
};
typedef struct nf_error {
  uint32_t struct_size; /* in: sizeof(nf_error)                                      */
  nf_status code;       /* the same as the returned status                           */
  int32_t os_errno;     /* errno of NF_ERR_IO, otherwise 0                           */
  char message[244];    /* what is wrong, where, and what would be right             */
} nf_error;
#define NF_ERROR_INIT                       \
  {                                         \
    (uint32_t)sizeof(nf_error), 0, 0, { 0 } \
  }
/* [any] "NF_ERR_SHAPE"; "NF_ERR_UNKNOWN" for a number that is none. */
NF_API const char *nf_status_name(nf_status status) NF_NOEXCEPT;

/* ---- handles ------------------------------------------------------------------------------------------------- */
typedef struct nf_options nf_options; /* typed key/value bag: the only kind of configuration beside the spec */
typedef struct nf_runtime nf_runtime; /* allocator, threads, log sink                                        */
typedef struct nf_model nf_model;     /* spec and parameters                                                 */
typedef struct nf_session nf_session; /* scratch for scoring and sampling; one per thread                    */
typedef struct nf_trainer nf_trainer; /* optimiser state and gradient lanes                                  */
typedef struct nf_target nf_target;   /* an unnormalised density to fit, to weigh samples with or to walk on */
typedef struct nf_table nf_table;     /* rows of numbers read from a .npy or .csv file                       */
typedef struct nf_batches nf_batches; /* mini-batches of a table, a pure function of the step                */

/* ---- options ------------------------------------------------------------------------------------------------- */
/* [any] Every key, for whom it is ("runtime", "load", "session", "trainer", "table", "batches",
 * "metropolis"), type, default, bounds
 * and one line of documentation, as a JSON array. Static. NULL only when out of memory. */
NF_API const char *nf_options_describe(void) NF_NOEXCEPT;
/* [any] An empty bag: every key has its default. */
NF_API NF_MUST_CHECK nf_status nf_options_create(nf_options **out, nf_error *err) NF_NOEXCEPT;
/* [excl] One bag serves all: each function reads the keys that are for it and ignores the others.
 * Unknown keys, wrong types and values out of bounds are NF_ERR_SPEC, and name the nearest key or the bounds.
 * nf_options_set parses `value` by the key's type: for command lines and configuration files. */
NF_API nf_status nf_options_set_i64(nf_options *o, const char *key, int64_t value, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_options_set_f64(nf_options *o, const char *key, double value, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_options_set_str(nf_options *o, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_options_set(nf_options *o, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
NF_API void nf_options_free(nf_options *o) NF_NOEXCEPT;

/* ---- runtime ------------------------------------------------------------------------------------------------- */
/* Tables supplied by the host. They are copied; `user` must outlive the runtime and its children. */
typedef struct nf_allocator {
  uint32_t struct_size;
  void *user;
  /* size > 0, align a power of two <= 64; NULL = out of memory. Both are called from any thread. */
  void *(*alloc)(void *user, size_t size, size_t align);
  void (*free)(void *user, void *p, size_t size, size_t align);
} nf_allocator;
#define NF_ALLOCATOR_INIT \
  { (uint32_t)sizeof(nf_allocator), NULL, NULL, NULL }
typedef struct nf_executor { /* the host's thread pool; without one, libnf starts option "threads" - 1 threads */
  uint32_t struct_size;
  uint32_t concurrency;
  void *user;
  /* Runs body(ctx, i) for every i in [0, n), each once, and returns when all have returned. */
  void (*parallel_for)(void *user, uint32_t n, void (*body)(void *ctx, uint32_t i), void *ctx);
} nf_executor;
#define NF_EXECUTOR_INIT \
  { (uint32_t)sizeof(nf_executor), 0, NULL, NULL }
/* Notes on what the library chose to do, none of them an error. level 0, info: SIMD target and threads of the runtime,
 * files used in place, batches cut to the rows there are. level 1, warning: a file that "map" = "on" could not use in
 * place and read instead. */
typedef void (*nf_log_fn)(void *user, int32_t level, const char *utf8);

/* [any] All of options, allocator, executor and log may be NULL. Results never depend on the number of threads.
 * After fork(), calls in the child run on the calling thread only: the runtime's threads stay in the parent.
 * Errors: ARGUMENT (struct_size), VERSION (header newer than library), NOMEM, INTERNAL (self-test of the kernels). */
NF_API NF_MUST_CHECK nf_status nf_runtime_create_v(uint32_t header_version, const nf_options *options,
                                                   const nf_allocator *allocator, const nf_executor *executor,
                                                   nf_log_fn log, void *log_user, nf_runtime **out,
                                                   nf_error *err) NF_NOEXCEPT;
#define nf_runtime_create(options, allocator, executor, log, log_user, out, err) \
  nf_runtime_create_v(NF_VERSION, (options), (allocator), (executor), (log), (log_user), (out), (err))
NF_API void nf_runtime_free(nf_runtime *rt) NF_NOEXCEPT;

/* ---- tensors at the boundary --------------------------------------------------------------------------------- */
enum { NF_F32 = 1, NF_F64 = 2 };
enum { NF_STRIDED = 1 };
/* Memory of the caller, borrowed for one call. Either dtype, any strides: values are converted to and from the model's
 * dtype on the way. Outputs must not overlap inputs or each other: this is not checked, and gives wrong numbers. */
typedef struct nf_view {
  uint32_t struct_size;
  int32_t dtype;      /* NF_F32 or NF_F64                                              */
  int32_t ndim;       /* 0..4                                                          */
  int32_t flags;      /* 0: row-major without gaps; NF_STRIDED: `strides` counts       */
  int64_t shape[4];   /* ndim extents >= 0, outermost first                            */
  int64_t strides[4]; /* in elements, may be 0 or negative; read with NF_STRIDED only  */
  void *data;         /* any alignment; may be NULL when there are no elements         */
} nf_view;
#define NF_VIEW_INIT \
  { (uint32_t)sizeof(nf_view), NF_F32, 0, 0, {0, 0, 0, 0}, {0, 0, 0, 0}, NULL }

/* ---- model --------------------------------------------------------------------------------------------------- */
/* [any] JSON {"layers": [...], "bases": [...], "embedding": KIND}: every kind as {"name", "doc", "source",
 * "fields": [{"name", "type", "default", "doc", and "min", "max" of numbers, "max_count" too of lists, or "choices"}]}.
 * Types are integer, number, boolean, integers and numbers (lists), choice. Static. NULL only when out of memory. */
NF_API const char *nf_layers_describe(void) NF_NOEXCEPT;
/* [any] Builds a model and draws its initial parameters from `seed`. The spec is UTF-8 JSON of spec_len bytes:
 *
 *   {"event": [6], "context": [0], "dtype": "float32", "base": "normal", "layers": [
 *     {"repeat": 8, "layers": [{"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]}
 *
 *   "event"    columns of x and z; 6 and [6] are the same. Must be there.
 *   "context"  columns of the context, likewise; default 0: none.
 *   "embedding" {fields...}: a net of the context, whose output layers and base see in its place; default none.
 *   "dtype"    "float32" (default) or "float64": of parameters and arithmetic.
 *   "base"     NAME or {"type": NAME, fields...}; default "normal".
 *   "layers"   the chain from x to z: each entry a layer {"type": NAME, fields...} or a chain {"layers": [...]}.
 *              Must be there.
 *   "repeat"   in a layer or chain: that many in a row, each with parameters of its own; default 1.
 *   "invert"   in a layer, a chain or the whole: true swaps its forward and inverse; default false.
 *
 * nf_layers_describe lists names and fields; every field has a default. Unknown keys are errors.
 * Errors: SPEC (message starts with the JSON path), NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_create(nf_runtime *rt, const char *spec_json, size_t spec_len, uint64_t seed,
                                               nf_model **out, nf_error *err) NF_NOEXCEPT;
/* [any] Reads a model or a checkpoint, from a file or from memory. Option "max_file_bytes" bounds the size (NF_ERR_IO,
 * os_errno EFBIG). Errors: IO, FORMAT, CHECKSUM, VERSION, SPEC, NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_load(nf_runtime *rt, const char *path, const nf_options *limits, nf_model **out,
                                             nf_error *err) NF_NOEXCEPT;
NF_API NF_MUST_CHECK nf_status nf_model_load_memory(nf_runtime *rt, const void *bytes, size_t n,
                                                    const nf_options *limits, nf_model **out,
                                                    nf_error *err) NF_NOEXCEPT;
/* [shared] Writes safetensors; equal models give equal bytes. nf_model_save replaces `path` atomically and durably. */
NF_API nf_status nf_model_save(const nf_model *m, const char *path, nf_error *err) NF_NOEXCEPT;
typedef int32_t (*nf_write_fn)(void *user, const void *bytes, size_t n); /* 0 = ok, else NF_ERR_CALLBACK */
NF_API nf_status nf_model_save_stream(const nf_model *m, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [shared] The canonical spec: every default written out. NULL for NULL. */
NF_API const char *nf_model_spec(const nf_model *m) NF_NOEXCEPT;

typedef struct nf_model_info {
  uint32_t struct_size;
  int32_t dtype;        /* NF_F32 or NF_F64                                    */
  int64_t event_size;   /* columns of x and z                                  */
  int64_t context_size; /* columns of the context, 0 = unconditional           */
  int64_t param_count;  /* trainable numbers                                   */
  int64_t tensor_count; /* named tensors, buffers included                     */
  int64_t layer_count;  /* steps: layers after nesting and repeats are written out */
  uint64_t hash;        /* of all tensors' bits: equal hashes, equal models    */
} nf_model_info;
#define NF_MODEL_INFO_INIT \
  { (uint32_t)sizeof(nf_model_info), 0, 0, 0, 0, 0, 0, 0 }
/* [shared] */
NF_API nf_status nf_model_get_info(const nf_model *m, nf_model_info *info, nf_error *err) NF_NOEXCEPT;

/* [shared] Name of step `index` in [0, layer_count), in the order of forward: where the spec has it, its type, and its
 * number among repetitions: "spec.layers[0].layers[1] (affine_coupling, repetition 3)". NULL when out of range. */
NF_API const char *nf_model_step(const nf_model *m, int64_t index) NF_NOEXCEPT;

typedef struct nf_tensor_info {
  uint32_t struct_size;
  int32_t dtype;
  int32_t ndim;
  int32_t trainable; /* 0: a buffer (running statistics, a fixed rotation)           */
  int64_t shape[4];
  const char *name; /* "layers.0.net.hidden.0.weight"; borrowed from the model      */
} nf_tensor_info;
#define NF_TENSOR_INFO_INIT \
  { (uint32_t)sizeof(nf_tensor_info), 0, 0, 0, {0, 0, 0, 0}, NULL }
/* [shared] index in [0, tensor_count). */
NF_API nf_status nf_model_tensor(const nf_model *m, int64_t index, nf_tensor_info *info, nf_error *err) NF_NOEXCEPT;
/* [shared] get, [excl] set: copy a tensor out of or into the model by name. The view has the tensor's shape.
 * set refuses NaN and infinity with NF_ERR_NUMERIC. */
NF_API nf_status nf_model_get_tensor(const nf_model *m, const char *name, const nf_view *out,
                                     nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_model_set_tensor(nf_model *m, const char *name, const nf_view *value, nf_error *err) NF_NOEXCEPT;
/* [excl] Starts the layers that take parameters from data ("actnorm", "standardise", "batch_norm") and have not yet: in
 * the order of the chain, each by mean and unbiased standard deviation of the rows of x [n, event_size] as they arrive
 * at it. A constant column is centred only. Happens once in the life of a model: a flag, tensor "...initialised", is
 * saved with it; NF_OK and no change when no layer waits. Without this call the first training step does it with its
 * batch. "standardise" wants all of the training data. Takes the memory of one copy of the rows, unless the first layer
 * of the chain is the only one that waits.
 * Errors, which change nothing: ARGUMENT (fewer than 2 rows), NUMERIC (names a row that is not finite, and where). */
NF_API nf_status nf_model_fit_data(nf_model *m, const nf_view *x, const nf_view *ctx, nf_error *err) NF_NOEXCEPT;
/* Notes travel with the model's file: column names, units, who trained it. [excl] set (NULL value removes); [shared]
 * get (NULL when there is none). */
NF_API nf_status nf_model_set_note(nf_model *m, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
NF_API const char *nf_model_note(const nf_model *m, const char *key) NF_NOEXCEPT;
/* [shared] The keys in order, NULL when index is out of range. */
NF_API const char *nf_model_note_key(const nf_model *m, int64_t index) NF_NOEXCEPT;
NF_API void nf_model_free(nf_model *m) NF_NOEXCEPT;

/* ---- inference ------------------------------------------------------------------------------------------------- */
/* A session is [excl]; any number of sessions may use one model at once, as long as nobody trains or sets it.
 * x, z: [n, event_size]; n is free. ctx: [n, context_size], or [1, context_size] for all rows, or NULL when the model
 * has none. log_det, log_prob: [n]. Rows are independent: the bits of a row do not depend on n or on the other rows.
 * A row with NaN or infinity gives NaN or -infinity in that row only (option "nonfinite" = "error" makes it
 * NF_ERR_NUMERIC naming the row). Calls allocate nothing. Creating and freeing sessions is [shared] on the model. */
NF_API NF_MUST_CHECK nf_status nf_session_create(nf_model *m, const nf_options *options, nf_session **out,
                                                 nf_error *err) NF_NOEXCEPT;
NF_API size_t nf_session_bytes(const nf_session *s) NF_NOEXCEPT; /* [shared] all it will ever hold; 0 for NULL */
/* [excl] log_prob of every row, in nats. */
NF_API nf_status nf_log_prob(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_view *log_prob,
                             nf_error *err) NF_NOEXCEPT;
/* [excl] log_det may be NULL. */
NF_API nf_status nf_forward(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_view *z,
                            const nf_view *log_det, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_inverse(nf_session *s, const nf_view *z, const nf_view *ctx, const nf_view *x,
                            const nf_view *log_det, nf_error *err) NF_NOEXCEPT;
/* [excl] Every state on the way. `inverse` is 0 (from = x) or 1 (from = z). out: [layer_count + 1, n, event_size], where
 * out[0] = from and out[k] is what the first k steps of that direction made of it; out[layer_count] has the bits of
 * nf_forward or nf_inverse. Step k of forward is nf_model_step(m, k - 1), of inverse nf_model_step(m, layer_count - k). */
NF_API nf_status nf_trace(nf_session *s, const nf_view *from, const nf_view *ctx, int32_t inverse, const nf_view *out,
                          nf_error *err) NF_NOEXCEPT;
/* [excl] Fills out [n, event_size] with samples number first_index .. first_index + n - 1 of `seed`: any split of a
 * run, on any threads, gives the same bits. log_prob (of the samples, from the same pass) may be NULL. */
NF_API nf_status nf_sample(nf_session *s, uint64_t seed, uint64_t first_index, const nf_view *ctx, const nf_view *out,
                           const nf_view *log_prob, nf_error *err) NF_NOEXCEPT;
NF_API void nf_session_free(nf_session *s) NF_NOEXCEPT;

/* ---- training: the host owns the loop [excl] ----------------------------------------------------------------- */
typedef struct nf_step_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t step;     /* steps applied so far                                            */
  double loss;       /* the objective, in nats, before the step: for "nll" the weighted mean of -log_prob */
  double grad_norm;  /* 2-norm of the gradient before clipping                          */
  double lr;         /* learning rate of this step                                      */
  double seconds;    /* wall time of this call                                          */
  double loss_error; /* standard error of `loss` as an estimate of its expectation, of objectives that sample; else 0 */
} nf_step_info;
#define NF_STEP_INFO_INIT \
  { (uint32_t)sizeof(nf_step_info), 0, 0, 0, 0, 0, 0, 0 }
typedef struct nf_collective { /* data parallel over processes; NULL = one process */
  uint32_t struct_size;
  int32_t rank, world;
  void *user;
  /* In-place sum of n numbers of `dtype` over all ranks, called in one fixed order; 0 = ok. */
  int32_t (*allreduce_sum)(void *user, void *buf, size_t n, int32_t dtype);
} nf_collective;
#define NF_COLLECTIVE_INIT \
  { (uint32_t)sizeof(nf_collective), 0, 0, NULL, NULL }

/* [excl] on the model. Options: "optimizer", "lr", "schedule", "clip_norm", "memory", ... (nf_options_describe). One
 * trainer per model at a time (NF_ERR_STATE). */
NF_API NF_MUST_CHECK nf_status nf_trainer_create(nf_model *m, const nf_options *options, const nf_collective *c,
                                                 nf_trainer **out, nf_error *err) NF_NOEXCEPT;
/* [excl] Gives the trainer the target of objectives "reverse_kl", "symmetric" and "alpha" (option "objective"), or
 * another one; the trainer keeps it alive. Errors: SHAPE (columns differ from the model's), STATE (objective "nll"). */
NF_API nf_status nf_trainer_set_target(nf_trainer *t, const nf_target *target, nf_error *err) NF_NOEXCEPT;
/* [excl] All it holds; grows only when the batch does. */
NF_API size_t nf_trainer_bytes(const nf_trainer *t) NF_NOEXCEPT;
/* [excl] One step on x [n, event_size], ctx as in nf_log_prob, weight [n] >= 0 or NULL (all 1); n >= 1. info may be
 * NULL. When loss or gradient is not finite nothing is applied: NF_ERR_NUMERIC names the layer and rows, and the
 * parameters stay. Layers that wait for data start from the first batch, as by nf_model_fit_data. "batch_norm" needs 2
 * rows of weight above 0; those count alike in its statistics, and it keeps the graph of the whole batch in memory.
 *
 * Objectives "reverse_kl" and "alpha" draw option "samples" rows from the model instead, with log q = log_prob of the
 * model and log p the log density of the target: x and weight are NULL, ctx is NULL or has 1 or `samples` rows.
 *   "reverse_kl"  loss = mean(log q - log p), at best -log Z of the target; option "path_gradient" leaves out the part
 *                 of its gradient whose expectation is 0 (Roeder et al. 2017): no noise where q = p
 *   "alpha"       loss = -log mean((p/q)^(1 - a)) / (1 - a), a = option "renyi_alpha" (Li and Turner 2016): a = 0 is
 *                 the importance-weighted bound, a -> 1 reverse_kl, a < 0 an upper bound
 *   "symmetric"   reverse_kl on samples + option "data_weight" times nll on x
 * Samples are a function of (seed, step, row): the same bits for any number of threads and after a restart. A target
 * that fails or gives NaN or infinity: NF_ERR_CALLBACK, NF_ERR_CANCELLED or NF_ERR_NUMERIC naming the row; nothing is
 * applied and the trainer stays usable. Layers that wait for data keep their initial parameters ("symmetric": start
 * from x); "batch_norm" uses its running statistics, and is refused by "symmetric" (NF_ERR_UNSUPPORTED). */
NF_API nf_status nf_train_step(nf_trainer *t, const nf_view *x, const nf_view *ctx, const nf_view *weight,
                               nf_step_info *info, nf_error *err) NF_NOEXCEPT;
typedef struct nf_source {
  uint32_t struct_size;
  void *user;
  /* Fills the views for step number `step` (shape and data borrowed until the next call): 1 batch, 0 end, < 0 error
   * (NF_ERR_CALLBACK). ctx and weight come with data == NULL; leave them so when there is none. */
  int32_t (*next)(void *user, uint64_t step, nf_view *x, nf_view *ctx, nf_view *weight);
} nf_source;
#define NF_SOURCE_INIT \
  { (uint32_t)sizeof(nf_source), NULL, NULL }
typedef int32_t (*nf_progress_fn)(void *user, const nf_step_info *info); /* != 0 stops: NF_ERR_CANCELLED */
/* [excl] Steps until max_steps steps have been applied in all (0 = no limit), the source ends, or on_step (may be
 * NULL) stops. source is NULL for objectives without data, "reverse_kl" and "alpha", of models without context. */
NF_API nf_status nf_train_run(nf_trainer *t, const nf_source *source, uint64_t max_steps, nf_progress_fn on_step,
                              void *user, nf_error *err) NF_NOEXCEPT;
/* [excl] Tells schedule "plateau" a validation loss (lower is better); other schedules ignore it. It is part of
 * checkpoints. NaN counts as no improvement. */
NF_API nf_status nf_trainer_observe(nf_trainer *t, double validation_loss, nf_error *err) NF_NOEXCEPT;
/* [excl] A checkpoint is a model file with optimiser state, step and seed beside the parameters: restoring it into a
 * trainer of the same spec and options continues with the same bits as never having stopped. Save is atomic and
 * durable. */
NF_API nf_status nf_trainer_save(const nf_trainer *t, const char *path, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_trainer_restore(nf_trainer *t, const char *path, nf_error *err) NF_NOEXCEPT;
NF_API uint64_t nf_trainer_step_count(const nf_trainer *t) NF_NOEXCEPT; /* [excl] steps applied so far */
/* [excl] With option "ema_decay": on = 1 puts the averaged parameters into the model, to score, sample and save with
 * them; on = 0 puts those of the last step back, and nf_train_step does so by itself. What already holds is no error.
 * Checkpoints hold both, and are written with on = 0. Errors: STATE (no average is kept), ARGUMENT. */
NF_API nf_status nf_trainer_use_average(nf_trainer *t, int32_t on, nf_error *err) NF_NOEXCEPT;
NF_API void nf_trainer_free(nf_trainer *t) NF_NOEXCEPT;

/* ---- targets: densities known up to a factor ------------------------------------------------------------------ */
/* [any] JSON [{"name", "doc", "formula", "source", "min_columns", "max_columns", "fields"}], fields as in
 * nf_layers_describe. Static. NULL only when out of memory. */
NF_API const char *nf_targets_describe(void) NF_NOEXCEPT;
/* [any] A target of the library, by name, or as UTF-8 JSON {"type": NAME, fields...} of spec_len bytes: "u1" or
 * {"type": "u1", "radius": 4, "spread": 0.8}. event_size: its columns. Errors: SPEC, SHAPE (columns that this target
 * cannot have). */
NF_API NF_MUST_CHECK nf_status nf_target_create(nf_runtime *rt, const char *spec, size_t spec_len, int64_t event_size,
                                                nf_target **out, nf_error *err) NF_NOEXCEPT;
/* A target of the host. x [n, event_size] -> log_density [n], up to one constant; gradient [n, event_size] of it, or
 * NULL when nobody needs it. ctx: the rows of context that belong to x [n or 1, columns], or NULL. All row-major without
 * gaps, of the dtype of the model (nf_metropolis: float64), borrowed for the call. Runs only on the thread that entered
 * libnf, with no lock held (R7), once for all rows of a step. Returns 0; < 0: it failed, NF_ERR_CALLBACK; > 0: stop,
 * NF_ERR_CANCELLED. log_density may be -infinity, where the density is 0: a sample there has weight 0, and makes loss
 * "reverse_kl" infinite. NaN and +infinity are NF_ERR_NUMERIC. */
typedef int32_t (*nf_target_fn)(void *user, const nf_view *x, const nf_view *ctx, const nf_view *log_density,
                                const nf_view *gradient);
/* [any] `user` must outlive the target and everything that was given it. */
NF_API NF_MUST_CHECK nf_status nf_target_create_callback(nf_runtime *rt, int64_t event_size, nf_target_fn fn,
                                                         void *user, nf_target **out, nf_error *err) NF_NOEXCEPT;
typedef struct nf_target_info {
  uint32_t struct_size;
  int32_t builtin;    /* 1: of the library, 0: a callback                        */
  int64_t event_size; /* columns of x                                            */
  double log_z;       /* log of the integral: NaN when unknown, infinity without */
} nf_target_info;
#define NF_TARGET_INFO_INIT \
  { (uint32_t)sizeof(nf_target_info), 0, 0, 0 }
/* [shared] */
NF_API nf_status nf_target_get_info(const nf_target *t, nf_target_info *info, nf_error *err) NF_NOEXCEPT;
/* [shared] log_density [n] and gradient [n, event_size] (may be NULL) at x [n, event_size]; ctx goes to the callback as
 * it is, and is NULL or has n or 1 rows. Numbers travel as float64 when x is, else as float32. */
NF_API nf_status nf_target_log_density(const nf_target *t, const nf_view *x, const nf_view *ctx,
                                       const nf_view *log_density, const nf_view *gradient, nf_error *err) NF_NOEXCEPT;
NF_API void nf_target_free(nf_target *t) NF_NOEXCEPT;

typedef struct nf_importance_info {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t samples;
  double log_z, log_z_error;           /* log mean(w) and its standard error, w = p/q               */
  double ess, ess_fraction;            /* effective sample size (sum w)^2 / sum w^2; divided by samples */
  double reverse_kl, reverse_kl_error; /* mean(log q - log p) and its standard error; log_z added, the divergence */
  double largest_share;                /* of one sample in sum w: near 1, nothing here can be trusted */
} nf_importance_info;
#define NF_IMPORTANCE_INFO_INIT \
  { (uint32_t)sizeof(nf_importance_info), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* [excl] Importance sampling with the session's model as proposal: samples number first_index .. first_index + n - 1 of
 * `seed`, those of nf_sample. x [n, event_size] and log_weight [n] = log p - log q are written when not NULL; the summary
 * takes blocks, so n is free. ctx has 1 row or is NULL. The same bits for any number of threads. Errors: as the target's,
 * NUMERIC (no weight above 0, or a row that is not finite). */
NF_API nf_status nf_importance(nf_session *s, const nf_target *target, uint64_t seed, uint64_t first_index, int64_t n,
                               const nf_view *ctx, const nf_view *x, const nf_view *log_weight,
                               nf_importance_info *info, nf_error *err) NF_NOEXCEPT;
/* [any] Self-normalised estimates of expectations under the target: mean_j = sum_i w_i g_ij / sum_i w_i of values g
 * [n, k] at the samples, w = exp(log_weight [n]), and their standard errors (delta method). mean, error: [k], error may
 * be NULL. Errors: ARGUMENT (n = 0), NUMERIC (a weight or a value that is not finite, no weight above 0). */
NF_API nf_status nf_importance_mean(const nf_view *log_weight, const nf_view *values, const nf_view *mean,
                                    const nf_view *error, nf_error *err) NF_NOEXCEPT;

typedef struct nf_metropolis_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t steps;    /* of each chain, burn-in and thinning included        */
  double acceptance; /* share of proposals taken after burn-in              */
} nf_metropolis_info;
#define NF_METROPOLIS_INFO_INIT \
  { (uint32_t)sizeof(nf_metropolis_info), 0, 0, 0 }
/* [excl] on proposal. Markov chains whose stationary density is the target: out [draws, chains, event_size], one chain
 * per column of rows. proposal NULL: random walk with steps of option "step_size" times standard normal numbers, from
 * `start` [chains, event_size], or standard normal rows when NULL. Else proposals are samples of that session's model
 * (independence sampler), which also start the chains when `start` is NULL; ctx [1, context_size] or NULL is for it.
 * Options "step_size", "burn_in", "thin", "seed". Chains are kept in float64, whatever the views have; the same bits
 * for any number of threads. Errors: NUMERIC (a chain starts where the density is 0, or it is NaN or +infinity
 * somewhere), and as the target's. */
NF_API nf_status nf_metropolis(nf_runtime *rt, const nf_target *target, nf_session *proposal, const nf_options *options,
                               const nf_view *start, const nf_view *ctx, const nf_view *out, nf_metropolis_info *info,
                               nf_error *err) NF_NOEXCEPT;

/* ---- data ----------------------------------------------------------------------------------------------------- */
/* [any] Reads a whole .npy (1-D or 2-D, any real dtype) or .csv/.tsv file. Missing or non-numeric values are
 * NF_ERR_FORMAT naming row and column. Options "dtype", "columns", "header", "separator", "max_file_bytes".
 * Option "map" = "auto" (from 1 GiB) | "on" | "off" leaves a .npy of little-endian float32 or float64 in its file, which
 * may be larger than memory: the view has the file's dtype and may be strided. If another program cuts the file short
 * meanwhile, nf_batches_get notices (NF_ERR_IO); whoever else reads the view gets SIGBUS. */
NF_API NF_MUST_CHECK nf_status nf_table_open(nf_runtime *rt, const char *path, const nf_options *options,
                                             nf_table **out, nf_error *err) NF_NOEXCEPT;
/* [shared] 1 when the rows are used in place in the file ("map"), else 0. */
NF_API int32_t nf_table_mapped(const nf_table *t) NF_NOEXCEPT;
/* [shared] The whole table [rows, cols], borrowed, to be read only. */
NF_API nf_status nf_table_view(const nf_table *t, nf_view *out, nf_error *err) NF_NOEXCEPT;
/* [shared] "" when the file has no names; NULL when out of range. */
NF_API const char *nf_table_column(const nf_table *t, int64_t index) NF_NOEXCEPT;
/* [any] Writes a view of rank 1 or 2 as .npy, or as .csv (by the path's extension), atomically. */
NF_API nf_status nf_table_save(const nf_view *v, const char *path, nf_error *err) NF_NOEXCEPT;
NF_API void nf_table_free(nf_table *t) NF_NOEXCEPT;

/* [any] Mini-batches of rows held by the caller (borrowed: they must outlive it). ctx and weight may be NULL. Options
 * "batch", "seed", "order" = "shuffle" (epochs) | "replacement" | "sequential" | "blocks" (epochs that read runs of
 * "block" rows, shuffled within 16 runs: for mapped tables). Batch k is a pure function of options and k, so that a
 * resumed run sees the same data. "part_begin" and "part_end" take the blocks of a share of the rows, drawn by
 * "part_seed": shares that do not overlap have no row in common. Views of mapped tables keep them alive, and pages that
 * have been read are let go. */
NF_API NF_MUST_CHECK nf_status nf_batches_create(nf_runtime *rt, const nf_view *x, const nf_view *ctx,
                                                 const nf_view *weight, const nf_options *options, nf_batches **out,
                                                 nf_error *err) NF_NOEXCEPT;
NF_API uint64_t nf_batches_per_epoch(const nf_batches *b) NF_NOEXCEPT; /* [shared] */
/* [excl] Views are borrowed until the next call. Unused ctx/weight views get data == NULL. */
NF_API nf_status nf_batches_get(nf_batches *b, uint64_t step, nf_view *x, nf_view *ctx, nf_view *weight,
                                nf_error *err) NF_NOEXCEPT;
/* [shared] A source for nf_train_run that reads `b` (and so is [excl] on it). */
NF_API nf_status nf_batches_source(nf_batches *b, nf_source *out, nf_error *err) NF_NOEXCEPT;
NF_API void nf_batches_free(nf_batches *b) NF_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif /* NF_H_ */
