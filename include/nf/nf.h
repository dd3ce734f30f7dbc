/* nf.h - libnf: normalizing flows behind a plain C ABI.
 *
 * A model is a JSON spec (nf_layers_describe lists every layer) plus parameters. A session scores and samples with it;
 * a trainer fits it. A new kind of flow adds a layer name to the spec, never a symbol to this header.
 *
 * Rules for every function below
 *
 *   R1  Functions that can fail return nf_status; 0 is success. From 1.0 on a code never changes its meaning; new codes
 *       may be added.
 *
 *   R2  On error every out-parameter is left untouched and nothing leaks. One exception: an error during the
 *       computation may leave the memory behind an output view partly written.
 *
 *   R3  The last parameter is `nf_error *err`, owned by the caller; it may be NULL. Only its struct_size is read, and
 *       it is written only on error. There is no global and no thread-local error state (goroutines move between
 *       threads).
 *
 *   R4  X_create returns an owned handle. X_free returns void, and X_free(NULL) is a no-op. A handle keeps alive the
 *       handles it was created from, so they can be freed in any order.
 *
 *   R5  const char* and const T* returned by getters are borrowed: valid until the next non-const call on the handle.
 *       Strings are UTF-8 and NUL-terminated.
 *
 *   R6  The thread class is in brackets. [any]: callable from any thread at any time. [shared]: several threads may
 *       call it on the same handle at once. [excl]: the caller must serialize calls on a handle. X_free is always
 *       [excl].
 *
 *   R7  Callbacks run with no lock held and must not unwind (no C++ throw, Go or Rust panic, longjmp). They run only on
 *       the thread that entered libnf, except allocators and executors, which must be callable from any thread.
 *
 *   R8  libnf never prints, aborts, exits, installs signal handlers, changes the caller's FP mode or locale, reads
 *       environment variables, or starts threads other than those of nf_runtime_create.
 *
 *   R9  Public structs start with struct_size = sizeof(the struct), so that they can grow; every NF_X_INIT macro sets
 *       it. A larger struct than the library knows is accepted, a smaller one is NF_ERR_ARGUMENT.
 *
 * Directions: forward maps data x to latent z, inverse maps z to x. log_det is one number per row, in nats:
 * log |det dz/dx| for forward and log |det dx/dz| for inverse.
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
/* [any] Version of the loaded library; compare it with NF_VERSION of the header. */
NF_API uint32_t nf_version(void) NF_NOEXCEPT;
/* [any] Version and SIMD target for logs and bug reports: "0.1.0 (simd AVX3)". */
NF_API const char *nf_version_string(void) NF_NOEXCEPT;

/* ---- status -------------------------------------------------------------------------------------------------- */
typedef int32_t nf_status;
enum {
  NF_OK = 0,
  NF_ERR_ARGUMENT = 1,      /* NULL, a bad struct_size, flag, index or name        */
  NF_ERR_STATE = 2,         /* a valid call at the wrong time                      */
  NF_ERR_SHAPE = 3,         /* a view's dtype, rank or extents are wrong           */
  NF_ERR_SPEC = 4,          /* the model spec or an option is invalid              */
  NF_ERR_NOMEM = 10,        /* the allocator returned NULL, or a limit was reached */
  NF_ERR_IO = 20,           /* operating system error; nf_error.os_errno is set    */
  NF_ERR_FORMAT = 21,       /* the file is not in the expected format              */
  NF_ERR_CHECKSUM = 22,     /* the file is well formed, but its content changed    */
  NF_ERR_VERSION = 23,      /* the file or header is newer than this library       */
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
  int32_t os_errno;     /* errno for NF_ERR_IO, otherwise 0                          */
  char message[244];    /* what is wrong, where, and what would be right             */
} nf_error;
#define NF_ERROR_INIT                       \
  {                                         \
    (uint32_t)sizeof(nf_error), 0, 0, { 0 } \
  }
/* [any] Name of a status, such as "NF_ERR_SHAPE". Returns "NF_ERR_UNKNOWN" for an unrecognized code. */
NF_API const char *nf_status_name(nf_status status) NF_NOEXCEPT;

/* ---- handles ------------------------------------------------------------------------------------------------- */
typedef struct nf_options nf_options; /* typed key/value pairs: all configuration that is not in the spec         */
typedef struct nf_runtime nf_runtime; /* allocator, threads, log sink                                             */
typedef struct nf_model nf_model;     /* spec and parameters                                                      */
typedef struct nf_session nf_session; /* scratch memory for scoring and sampling; one per thread                  */
typedef struct nf_trainer nf_trainer; /* optimizer state and gradient lanes                                       */
typedef struct nf_target nf_target;   /* an unnormalized density: to fit, to weight samples by, or to run MCMC on */
typedef struct nf_table nf_table;     /* rows of numbers read from a .npy or .csv file                            */
typedef struct nf_batches nf_batches; /* mini-batches of a table, a pure function of the step                     */

/* ---- options ------------------------------------------------------------------------------------------------- */
/* [any] Lists every option key as a JSON array, each with its scope ("runtime", "load", "session", "trainer", "table",
 * "batches", "metropolis"), type, default, bounds and one line of documentation. The string is static. NULL only when
 * out of memory. */
NF_API const char *nf_options_describe(void) NF_NOEXCEPT;
/* [any] Creates an empty set: every key has its default. */
NF_API NF_MUST_CHECK nf_status nf_options_create(nf_options **out, nf_error *err) NF_NOEXCEPT;
/* [excl] One set serves every function: each reads the keys of its own scope and ignores the others. An unknown key, a
 * wrong type or a value out of bounds is NF_ERR_SPEC; the message names the nearest key or the bounds. nf_options_set
 * parses `value` according to the key's type, for command lines and configuration files. */
NF_API nf_status nf_options_set_i64(nf_options *o, const char *key, int64_t value, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_options_set_f64(nf_options *o, const char *key, double value, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_options_set_str(nf_options *o, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_options_set(nf_options *o, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
NF_API void nf_options_free(nf_options *o) NF_NOEXCEPT;

/* ---- runtime ------------------------------------------------------------------------------------------------- */
/* Function tables supplied by the host. They are copied; `user` must outlive the runtime and its children. */
typedef struct nf_allocator {
  uint32_t struct_size;
  void *user;
  /* size > 0, align a power of two <= 64. Returns NULL when out of memory. Both are called from any thread. */
  void *(*alloc)(void *user, size_t size, size_t align);
  void (*free)(void *user, void *p, size_t size, size_t align);
} nf_allocator;
#define NF_ALLOCATOR_INIT \
  { (uint32_t)sizeof(nf_allocator), NULL, NULL, NULL }
typedef struct nf_executor { /* the host's thread pool; without one, libnf starts option "threads" - 1 threads */
  uint32_t struct_size;
  uint32_t concurrency;
  void *user;
  /* Runs body(ctx, i) once for every i in [0, n) and returns after all of them have returned. */
  void (*parallel_for)(void *user, uint32_t n, void (*body)(void *ctx, uint32_t i), void *ctx);
} nf_executor;
#define NF_EXECUTOR_INIT \
  { (uint32_t)sizeof(nf_executor), 0, NULL, NULL }
/* Receives notes on what the library chose to do; none of them is an error. Level 0, info: SIMD target and threads of
 * the runtime, files used in place, a batch size reduced to the number of rows. Level 1, warning: a file that "map" =
 * "on" could not use in place and read into memory instead. */
typedef void (*nf_log_fn)(void *user, int32_t level, const char *utf8);

/* [any] options, allocator, executor and log may each be NULL. Results never depend on the number of threads.
 * After fork(), calls in the child run on the calling thread only: the runtime's threads stay in the parent.
 * Errors: ARGUMENT (struct_size), VERSION (header newer than the library), NOMEM, INTERNAL (kernel self-test). */
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
/* Describes memory of the caller, borrowed for one call. Either dtype and any strides are accepted; values are
 * converted to and from the model's dtype. Outputs must not overlap inputs or each other; this is not checked, and
 * results are wrong if they do. */
typedef struct nf_view {
  uint32_t struct_size;
  int32_t dtype;      /* NF_F32 or NF_F64                                              */
  int32_t ndim;       /* 0..4                                                          */
  int32_t flags;      /* 0: row-major without gaps; NF_STRIDED: `strides` is used      */
  int64_t shape[4];   /* ndim extents >= 0, outermost first                            */
  int64_t strides[4]; /* in elements, may be 0 or negative; read only if NF_STRIDED    */
  void *data;         /* any alignment; may be NULL when there are no elements         */
} nf_view;
#define NF_VIEW_INIT \
  { (uint32_t)sizeof(nf_view), NF_F32, 0, 0, {0, 0, 0, 0}, {0, 0, 0, 0}, NULL }

/* ---- model --------------------------------------------------------------------------------------------------- */
/* [any] Describes what a spec may contain, as JSON {"layers": [PART, ...], "nets": [PART, ...], "bases": [PART, ...], ...,
 * "embedding": PART, "spec": PART}: one list for every kind of part, and the fields of the spec itself. PART is {"name",
 * "doc", "source", "fields": [FIELD, ...]}, plus "aliases", names that are read too. FIELD is {"name", "type", "default",
 * "doc"} plus "min" and "max" for numbers, also "max_count" for lists, "max_bytes" for text, or "choices". Types: integer,
 * number, boolean, text, integers and numbers (lists), choice; object, which has "fields"; part, of the list "of"; chain,
 * a list of layers. The string is static. NULL only when out of memory. */
NF_API const char *nf_layers_describe(void) NF_NOEXCEPT;
/* [any] Builds a model and draws its initial parameters from `seed`. The spec is UTF-8 JSON of spec_len bytes:
 *
 *   {"event": [6], "context": [0], "dtype": "float32", "base": "normal", "layers": [
 *     {"repeat": 8, "layers": [{"type": "affine_coupling", "net": {"type": "mlp", "hidden": [128, 128]}},
 *                              {"type": "reverse"}]}]}
 *
 *   "event"      number of columns of x and z, where 6 and [6] are the same, or [height, width, channels]. Required.
 *   "context"    number of columns of the context, likewise; default 0, no context.
 *   "embedding"  {fields...}: a net applied to the context; layers and base see its output instead. Default none.
 *   "dtype"      "float32" (default) or "float64", for parameters and arithmetic.
 *   "kind"       what the model is; default "flow", whose fields these are.
 *   "base"       NAME or {"type": NAME, fields...}; default "normal".
 *   "layers"     the chain from x to z: each entry is a layer {"type": NAME, fields...} or a chain {"layers": [...]}.
 *                Required.
 *   "repeat"     in a layer or chain: number of copies in a row, each with its own parameters; default 1.
 *   "invert"     in a layer, in a chain or at the top level: true swaps forward and inverse; default false.
 *
 * nf_layers_describe lists names and fields; every field has a default. Unknown keys are errors.
 * Errors: SPEC (the message starts with the JSON path), NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_create(nf_runtime *rt, const char *spec_json, size_t spec_len, uint64_t seed,
                                               nf_model **out, nf_error *err) NF_NOEXCEPT;
/* [any] Reads a model or a checkpoint from a file or from memory. A file larger than option "max_file_bytes" is
 * NF_ERR_IO with os_errno EFBIG. Errors: IO, FORMAT, CHECKSUM, VERSION, SPEC, NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_load(nf_runtime *rt, const char *path, const nf_options *limits, nf_model **out,
                                             nf_error *err) NF_NOEXCEPT;
NF_API NF_MUST_CHECK nf_status nf_model_load_memory(nf_runtime *rt, const void *bytes, size_t n,
                                                    const nf_options *limits, nf_model **out,
                                                    nf_error *err) NF_NOEXCEPT;
/* [shared] Writes the model as safetensors. Equal models give equal bytes. nf_model_save replaces `path` atomically and
 * durably. */
NF_API nf_status nf_model_save(const nf_model *m, const char *path, nf_error *err) NF_NOEXCEPT;
typedef int32_t (*nf_write_fn)(void *user, const void *bytes, size_t n); /* 0 = ok, otherwise NF_ERR_CALLBACK */
NF_API nf_status nf_model_save_stream(const nf_model *m, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [shared] The canonical spec, with every default written out. NULL if m is NULL. */
NF_API const char *nf_model_spec(const nf_model *m) NF_NOEXCEPT;
/* [shared] Writes what the model is, as UTF-8 JSON without a terminating NUL, in one or more calls of `write`:
 *
 *   {"kind": "flow", "event": [8, 8, 1], "latent": [64], "context": [0], "dtype": "float32", "log_prob": "exact",
 *    "layers": [{"name": "layers.0", "where": "spec.layers[0] (squeeze)", "type": "squeeze", "inverted": false,
 *                "event": [8, 8, 1], "latent": [4, 4, 4], "columns": 64}, ...],
 *    "scales": [{"where": "", "first_column": 0, "columns": 32, "event": [4, 4, 2]},
 *               {"where": "spec.layers[1] (split)", "first_column": 32, "columns": 32, "event": [4, 4, 2]}]}
 *
 *   "log_prob"  "exact", or "bound" for a model that draws numbers while it scores ("dequantize"): see nf_log_prob.
 *   "layers"    after nesting and repeats are expanded, in forward order. A layer turns an "event" into a "latent" of as
 *               many columns. It acts on the first "columns" of a row, fewer than all inside a "split". The names of its
 *               tensors start with "name".
 *   "scales"    which columns of the latents leave the chain together, and their shape: first those that go through all
 *               layers, then what each split factors out, from the innermost. A single entry if nothing is.
 *
 * Errors: CALLBACK. */
NF_API nf_status nf_model_describe(const nf_model *m, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;

typedef struct nf_model_info {
  uint32_t struct_size;
  int32_t dtype;        /* NF_F32 or NF_F64                                    */
  int64_t event_size;   /* columns of x and z: the product of the event's shape */
  int64_t context_size; /* columns of the context, 0 = unconditional           */
  int64_t param_count;  /* trainable numbers                                   */
  int64_t tensor_count; /* named tensors, including buffers                    */
  int64_t layer_count;  /* layers after nesting and repeats are expanded       */
  uint64_t hash;        /* of the bits of all tensors                          */
} nf_model_info;
#define NF_MODEL_INFO_INIT \
  { (uint32_t)sizeof(nf_model_info), 0, 0, 0, 0, 0, 0, 0 }
/* [shared] */
NF_API nf_status nf_model_get_info(const nf_model *m, nf_model_info *info, nf_error *err) NF_NOEXCEPT;

/* [shared] Describes layer `index` in [0, layer_count), in forward order: its place in the spec, its type, and which
 * repetition it is, such as "spec.layers[0].layers[1] (affine_coupling, repetition 3)". NULL when out of range. */
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
/* get is [shared], set is [excl]. Copies a tensor out of or into the model by name. The view must have the tensor's
 * shape. set refuses NaN and infinity with NF_ERR_NUMERIC. */
NF_API nf_status nf_model_get_tensor(const nf_model *m, const char *name, const nf_view *out,
                                     nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_model_set_tensor(nf_model *m, const char *name, const nf_view *value, nf_error *err) NF_NOEXCEPT;
/* [excl] Data-dependent initialization: sets the layers that take their initial parameters from data ("actnorm",
 * "standardize", "batch_norm"). In chain order, each takes the mean and unbiased standard deviation of the rows of x
 * [n, event_size] as they arrive at it; a constant column is only centered. This happens once in the life of a model: a
 * flag, the tensor "...initialized", is saved with it. If every layer is already initialized, the call is a no-op.
 * Without this call the first training step initializes from its batch; call it with all training rows if the chain has
 * "standardize". Needs memory for one copy of the rows, unless the only layer to initialize is the first of the chain.
 * Errors, which change nothing: ARGUMENT (fewer than 2 rows), NUMERIC (a row is not finite; the message says where). */
NF_API nf_status nf_model_fit_data(nf_model *m, const nf_view *x, const nf_view *ctx, nf_error *err) NF_NOEXCEPT;
/* Notes are saved in the model's file: column names, units, who trained it. set is [excl]; a NULL value removes the
 * note. get is [shared]; it returns NULL when there is no such note. */
NF_API nf_status nf_model_set_note(nf_model *m, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
NF_API const char *nf_model_note(const nf_model *m, const char *key) NF_NOEXCEPT;
/* [shared] Key number `index` in alphabetical order; NULL when out of range. */
NF_API const char *nf_model_note_key(const nf_model *m, int64_t index) NF_NOEXCEPT;
NF_API void nf_model_free(nf_model *m) NF_NOEXCEPT;

/* ---- inference ------------------------------------------------------------------------------------------------- */
/* A session is [excl]: a call while another thread is in the same session is NF_ERR_STATE and does nothing. Any number
 * of sessions may use one model at once, as long as no thread trains or modifies it.
 * x and z are [n, event_size], or [n, height, width, channels] if the event (of z: the latent, see nf_model_describe) has
 * that shape, for any n; strides take images that are stored channel first. ctx is [n, context_size], or
 * [1, context_size] to share one row, or NULL when the model has no context. log_det and log_prob are [n]. Rows are independent: the bits of a row's result do not depend on n or on the other rows. A row with NaN or
 * infinity gives NaN or -infinity in that row only; with option "nonfinite" = "error" it is NF_ERR_NUMERIC naming the
 * row. Calls allocate nothing. Creating and freeing sessions is [shared] on the model. */
NF_API NF_MUST_CHECK nf_status nf_session_create(nf_model *m, const nf_options *options, nf_session **out,
                                                 nf_error *err) NF_NOEXCEPT;
NF_API size_t nf_session_bytes(const nf_session *s) NF_NOEXCEPT; /* [shared] scratch memory, fixed; 0 for NULL */
/* [excl] Computes log_prob of every row, in nats. Of a model that draws numbers while it scores, it is a bound: exp of it
 * is an unbiased estimate of the density, so that its expectation over draws is at most the log-density. Option
 * "score_samples" takes the mean over that many draws inside the logarithm, which is closer to the log-density the more
 * there are (Burda et al. 2016). What is drawn for a row is a function of option "score_seed", the numbers of the row and
 * of its context, and the draw: equal rows have equal results wherever they stand, and in any dtype that holds their
 * numbers. nf_forward and nf_trace take the first of these draws. */
NF_API nf_status nf_log_prob(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_view *log_prob,
                             nf_error *err) NF_NOEXCEPT;
/* [excl] Map x to z, and z to x. log_det may be NULL. */
NF_API nf_status nf_forward(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_view *z,
                            const nf_view *log_det, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_inverse(nf_session *s, const nf_view *z, const nf_view *ctx, const nf_view *x,
                            const nf_view *log_det, nf_error *err) NF_NOEXCEPT;
/* [excl] Writes the rows before, between and after all layers. `inverse` is 0 (from = x) or 1 (from = z). out is
 * [layer_count + 1, n, event_size]: out[0] = from, and out[k] holds the rows after the first k layers of that
 * direction, so out[layer_count] has the bits of nf_forward or nf_inverse. Layer k is nf_model_step(m, k - 1) in
 * forward and nf_model_step(m, layer_count - k) in inverse. */
NF_API nf_status nf_trace(nf_session *s, const nf_view *from, const nf_view *ctx, int32_t inverse, const nf_view *out,
                          nf_error *err) NF_NOEXCEPT;
/* [excl] Fills out [n, event_size] with samples first_index .. first_index + n - 1 of the stream `seed`. A sample's
 * bits do not depend on how a run is split into calls or threads. log_prob [n] receives the samples' log-density from
 * the same pass, or where it is a bound what nf_log_prob gives for them, and may be NULL. */
NF_API nf_status nf_sample(nf_session *s, uint64_t seed, uint64_t first_index, const nf_view *ctx, const nf_view *out,
                           const nf_view *log_prob, nf_error *err) NF_NOEXCEPT;
NF_API void nf_session_free(nf_session *s) NF_NOEXCEPT;

/* ---- training: the host owns the loop [excl] ----------------------------------------------------------------- */
typedef struct nf_step_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t step;     /* steps applied so far                                            */
  double loss;       /* the objective before the step, in nats; for "nll" the weighted mean of -log_prob */
  double grad_norm;  /* 2-norm of the gradient before clipping                          */
  double lr;         /* learning rate of this step                                      */
  double seconds;    /* wall time of this call                                          */
  double loss_error; /* standard error of `loss` for objectives that draw samples, otherwise 0 */
} nf_step_info;
#define NF_STEP_INFO_INIT \
  { (uint32_t)sizeof(nf_step_info), 0, 0, 0, 0, 0, 0, 0 }
typedef struct nf_collective { /* data-parallel training over processes; NULL = one process */
  uint32_t struct_size;
  int32_t rank, world;
  void *user;
  /* Sums n numbers of `dtype` over all ranks, in place; calls come in one fixed order. Returns 0 on success. */
  int32_t (*allreduce_sum)(void *user, void *buf, size_t n, int32_t dtype);
} nf_collective;
#define NF_COLLECTIVE_INIT \
  { (uint32_t)sizeof(nf_collective), 0, 0, NULL, NULL }

/* [excl] on the model. Options: "objective", "optimizer", "lr", "schedule", "clip_norm", "groups", "memory", ...
 * (nf_options_describe). A model has at most one trainer at a time; a second one is NF_ERR_STATE. Errors: SPEC (a setting
 * that the others would ignore, groups that match no parameter), UNSUPPORTED (an objective that cannot train a layer). */
NF_API NF_MUST_CHECK nf_status nf_trainer_create(nf_model *m, const nf_options *options, const nf_collective *c,
                                                 nf_trainer **out, nf_error *err) NF_NOEXCEPT;
/* [excl] Sets or replaces the target of an objective that has one (option "objective"). The trainer keeps it alive.
 * Errors: SHAPE (columns differ from the model's), STATE (the objective has no target). */
NF_API nf_status nf_trainer_set_target(nf_trainer *t, const nf_target *target, nf_error *err) NF_NOEXCEPT;
/* [excl] Bytes the trainer holds; grows only when the batch does. */
NF_API size_t nf_trainer_bytes(const nf_trainer *t) NF_NOEXCEPT;
/* [excl] Takes one step on x [n, event_size], n >= 1, with ctx as in nf_log_prob and weight [n] >= 0 or NULL (all 1).
 * info may be NULL. If the loss or gradient is not finite the step is not applied: NF_ERR_NUMERIC names the layer and
 * rows, and the parameters keep their values. Layers with data-dependent initialization that have not been initialized
 * take it from the first batch, as in nf_model_fit_data. "batch_norm" needs 2 rows of weight above 0, which count
 * equally in its statistics, and keeps the graph of the whole batch in memory.
 *
 * What a step minimizes is option "objective"; nf_options_describe says what each objective computes and which options
 * it has. Objectives without data (those that only draw samples from the model, option "samples") take x and weight
 * NULL, and ctx NULL or with 1 or `samples` rows. Samples are a function of (seed, step, row): the same bits for any
 * number of threads and after a restart. A target that fails, or returns NaN or infinity, gives NF_ERR_CALLBACK,
 * NF_ERR_CANCELLED, or NF_ERR_NUMERIC naming the row; the step is not applied and the trainer stays usable. Without data,
 * layers with data-dependent initialization keep their initial parameters and "batch_norm" uses its running statistics;
 * objectives with data beside samples or scores refuse "batch_norm" (NF_ERR_UNSUPPORTED). */
NF_API nf_status nf_train_step(nf_trainer *t, const nf_view *x, const nf_view *ctx, const nf_view *weight,
                               nf_step_info *info, nf_error *err) NF_NOEXCEPT;
typedef struct nf_source {
  uint32_t struct_size;
  void *user;
  /* Fills the views with the batch for step number `step`; shape and data are borrowed until the next call. Returns 1
   * for a batch, 0 at the end, < 0 on error (NF_ERR_CALLBACK). ctx and weight arrive with data == NULL; leave them that
   * way if there is none. */
  int32_t (*next)(void *user, uint64_t step, nf_view *x, nf_view *ctx, nf_view *weight);
} nf_source;
#define NF_SOURCE_INIT \
  { (uint32_t)sizeof(nf_source), NULL, NULL }
typedef int32_t (*nf_progress_fn)(void *user, const nf_step_info *info); /* nonzero stops: NF_ERR_CANCELLED */
/* [excl] Trains until max_steps steps have been applied in total (0 = no limit), the source ends, or on_step (may be
 * NULL) stops it. source is NULL for objectives without data on models without context. */
NF_API nf_status nf_train_run(nf_trainer *t, const nf_source *source, uint64_t max_steps, nf_progress_fn on_step,
                              void *user, nf_error *err) NF_NOEXCEPT;
/* [excl] Reports a validation loss (lower is better) to schedule "plateau"; other schedules ignore it. Saved in
 * checkpoints. NaN counts as no improvement. */
NF_API nf_status nf_trainer_observe(nf_trainer *t, double validation_loss, nf_error *err) NF_NOEXCEPT;
/* [excl] A checkpoint is a model file that also holds optimizer state, step and schedule state. Restoring it into a
 * trainer with the same spec and options continues with the same bits as if training had never stopped. Saving is
 * atomic and durable. */
NF_API nf_status nf_trainer_save(const nf_trainer *t, const char *path, nf_error *err) NF_NOEXCEPT;
NF_API nf_status nf_trainer_restore(nf_trainer *t, const char *path, nf_error *err) NF_NOEXCEPT;
NF_API uint64_t nf_trainer_step_count(const nf_trainer *t) NF_NOEXCEPT; /* [excl] steps applied so far */
/* [excl] With option "ema_decay": on = 1 puts the averaged parameters into the model, to score, sample and save with
 * them; on = 0 puts back those of the last step, which nf_train_step does by itself. Calling it in the state it asks
 * for is a no-op. Checkpoints hold both and must be saved with on = 0. Errors: STATE (no average is kept), ARGUMENT. */
NF_API nf_status nf_trainer_use_average(nf_trainer *t, int32_t on, nf_error *err) NF_NOEXCEPT;
NF_API void nf_trainer_free(nf_trainer *t) NF_NOEXCEPT;

/* ---- targets: densities known up to a factor ------------------------------------------------------------------ */
/* [any] Lists the built-in targets as JSON [{"name", "doc", "formula", "source", "min_columns", "max_columns",
 * "fields"}], with fields as in nf_layers_describe. The string is static. NULL only when out of memory. */
NF_API const char *nf_targets_describe(void) NF_NOEXCEPT;
/* [any] Creates a built-in target from its name or from UTF-8 JSON {"type": NAME, fields...} of spec_len bytes: "u1" or
 * {"type": "u1", "radius": 4, "spread": 0.8}. event_size is its number of columns. Errors: SPEC, SHAPE (the target
 * cannot have that many columns). */
NF_API NF_MUST_CHECK nf_status nf_target_create(nf_runtime *rt, const char *spec, size_t spec_len, int64_t event_size,
                                                nf_target **out, nf_error *err) NF_NOEXCEPT;
/* A target implemented by the host. Given x [n, event_size], fills log_density [n], up to an additive constant, and its
 * gradient [n, event_size] unless that is NULL. ctx holds the context rows of x ([n or 1, columns]), or is NULL. All
 * are row-major without gaps, in the model's dtype (nf_metropolis: float64), borrowed for the call. Runs only on the
 * thread that entered libnf, with no lock held (R7), once for all rows of a step. Returns 0 on success, < 0 if it
 * failed (NF_ERR_CALLBACK), > 0 to stop (NF_ERR_CANCELLED). log_density is -infinity where the density is 0; a sample
 * there has weight 0 and makes the loss of "reverse_kl" infinite. NaN and +infinity are NF_ERR_NUMERIC. */
typedef int32_t (*nf_target_fn)(void *user, const nf_view *x, const nf_view *ctx, const nf_view *log_density,
                                const nf_view *gradient);
/* [any] `user` must outlive the target and every handle that was given the target. */
NF_API NF_MUST_CHECK nf_status nf_target_create_callback(nf_runtime *rt, int64_t event_size, nf_target_fn fn,
                                                         void *user, nf_target **out, nf_error *err) NF_NOEXCEPT;
typedef struct nf_target_info {
  uint32_t struct_size;
  int32_t builtin;    /* 1: built in, 0: a callback                                          */
  int64_t event_size; /* columns of x                                                        */
  double log_z;       /* log of the integral: NaN if unknown, infinity if it diverges   */
} nf_target_info;
#define NF_TARGET_INFO_INIT \
  { (uint32_t)sizeof(nf_target_info), 0, 0, 0 }
/* [shared] */
NF_API nf_status nf_target_get_info(const nf_target *t, nf_target_info *info, nf_error *err) NF_NOEXCEPT;
/* [shared] Evaluates log_density [n] and gradient [n, event_size] (may be NULL) at x [n, event_size]. ctx is NULL or
 * has n or 1 rows and is passed through to the callback. The target is evaluated in the dtype of x. */
NF_API nf_status nf_target_log_density(const nf_target *t, const nf_view *x, const nf_view *ctx,
                                       const nf_view *log_density, const nf_view *gradient, nf_error *err) NF_NOEXCEPT;
NF_API void nf_target_free(nf_target *t) NF_NOEXCEPT;

typedef struct nf_importance_info {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t samples;
  double log_z, log_z_error;           /* log mean(w) and its standard error, w = p/q                  */
  double ess, ess_fraction;            /* effective sample size (sum w)^2 / sum w^2, and its share of samples */
  double reverse_kl, reverse_kl_error; /* mean(log q - log p) and its standard error; add log_z for the divergence */
  double largest_share;                /* largest w / sum w: near 1, none of these numbers can be trusted */
} nf_importance_info;
#define NF_IMPORTANCE_INFO_INIT \
  { (uint32_t)sizeof(nf_importance_info), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* [excl] Importance sampling with the session's model as the proposal, on samples first_index .. first_index + n - 1 of
 * `seed`, the same as nf_sample's. x [n, event_size] and log_weight [n] = log p - log q are written unless NULL. The
 * summary is computed block by block, so n may be arbitrarily large. ctx has 1 row or is NULL. The bits do not depend
 * on the number of threads. Errors: those of the target, NUMERIC (no weight above 0, or a row that is not finite). */
NF_API nf_status nf_importance(nf_session *s, const nf_target *target, uint64_t seed, uint64_t first_index, int64_t n,
                               const nf_view *ctx, const nf_view *x, const nf_view *log_weight,
                               nf_importance_info *info, nf_error *err) NF_NOEXCEPT;
/* [any] Self-normalized estimates of expectations under the target: mean_j = sum_i w_i g_ij / sum_i w_i for values g
 * [n, k] at the samples, with w = exp(log_weight [n]), and their standard errors (delta method). mean and error are
 * [k]; error may be NULL. Errors: ARGUMENT (n = 0), NUMERIC (a weight or value is not finite, no weight is above 0). */
NF_API nf_status nf_importance_mean(const nf_view *log_weight, const nf_view *values, const nf_view *mean,
                                    const nf_view *error, nf_error *err) NF_NOEXCEPT;

typedef struct nf_metropolis_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t steps;    /* steps of each chain, including burn-in and thinning */
  double acceptance; /* fraction of proposals accepted after burn-in        */
} nf_metropolis_info;
#define NF_METROPOLIS_INFO_INIT \
  { (uint32_t)sizeof(nf_metropolis_info), 0, 0, 0 }
/* [excl] on proposal. Runs Markov chains whose stationary density is the target and fills out [draws, chains,
 * event_size]; out[:, c] is chain c. If proposal is NULL, the chains are random walks whose steps are option
 * "step_size" times standard normal numbers, started at `start` [chains, event_size], or at standard normal rows if
 * start is NULL. Otherwise proposals are samples of that session's model (independence sampler), which also start the
 * chains if start is NULL; ctx [1, context_size] or NULL is its context. Options "step_size", "burn_in", "thin",
 * "seed". Chains are computed in float64 whatever the views' dtype; the bits do not depend on the number of threads.
 * Errors: NUMERIC (a chain starts where the density is 0, or the density is NaN or +infinity somewhere), and those of
 * the target. */
NF_API nf_status nf_metropolis(nf_runtime *rt, const nf_target *target, nf_session *proposal, const nf_options *options,
                               const nf_view *start, const nf_view *ctx, const nf_view *out, nf_metropolis_info *info,
                               nf_error *err) NF_NOEXCEPT;

/* ---- data ----------------------------------------------------------------------------------------------------- */
/* [any] Reads a whole .npy (1-D or 2-D, any real dtype) or .csv/.tsv file. A missing or non-numeric value is
 * NF_ERR_FORMAT; the message names line and column. Options "dtype", "columns", "header", "separator",
 * "max_file_bytes". Option "map" = "auto" (from 1 GiB) | "on" | "off" uses the rows of a little-endian float32 or
 * float64 .npy in place, so the file may exceed the memory; the view has the file's dtype and may be strided. If
 * another program truncates the file in the meantime, nf_batches_get detects it (NF_ERR_IO); any other read of the view
 * raises SIGBUS. */
NF_API NF_MUST_CHECK nf_status nf_table_open(nf_runtime *rt, const char *path, const nf_options *options,
                                             nf_table **out, nf_error *err) NF_NOEXCEPT;
/* [shared] 1 if the rows are used in place ("map"), otherwise 0. */
NF_API int32_t nf_table_mapped(const nf_table *t) NF_NOEXCEPT;
/* [shared] The whole table [rows, cols], borrowed and read-only. */
NF_API nf_status nf_table_view(const nf_table *t, nf_view *out, nf_error *err) NF_NOEXCEPT;
/* [shared] The extents of the array in the file, without options "columns": [n, height, width, channels] of a .npy of
 * rank 4, [rows, cols] of a CSV file. Returns their number, at most 4, and writes them to `shape`, which may be NULL.
 * With "columns", those of the view. 0 if t is NULL. */
NF_API int32_t nf_table_shape(const nf_table *t, int64_t shape[4]) NF_NOEXCEPT;
/* [shared] Name of column `index`: "" if the file has no header, NULL when out of range. */
NF_API const char *nf_table_column(const nf_table *t, int64_t index) NF_NOEXCEPT;
/* [any] Writes a view of rank 1 or 2 as .npy or .csv, chosen by the path's extension, atomically. */
NF_API nf_status nf_table_save(const nf_view *v, const char *path, nf_error *err) NF_NOEXCEPT;
NF_API void nf_table_free(nf_table *t) NF_NOEXCEPT;

/* [any] Creates mini-batches of rows that the caller holds and must keep alive longer: x [n, columns] or [n, height,
 * width, channels], and so are its batches. ctx and weight may be NULL.
 * Options "batch", "seed", "order" = "shuffle" (epochs) | "replacement" | "sequential" | "blocks" (epochs that read
 * runs of "block" consecutive rows, shuffled within windows of 16 runs, for mapped tables). Batch k is a pure function
 * of the options and k, so a resumed run sees the same data. "part_begin" and "part_end" restrict the batches to a
 * fraction of the blocks, in an order drawn from "part_seed"; disjoint ranges share no row. Views of mapped tables keep
 * the tables alive, and pages already read are released. */
NF_API NF_MUST_CHECK nf_status nf_batches_create(nf_runtime *rt, const nf_view *x, const nf_view *ctx,
                                                 const nf_view *weight, const nf_options *options, nf_batches **out,
                                                 nf_error *err) NF_NOEXCEPT;
NF_API uint64_t nf_batches_per_epoch(const nf_batches *b) NF_NOEXCEPT; /* [shared] */
/* [excl] The views are borrowed until the next call. ctx and weight get data == NULL if there is none. */
NF_API nf_status nf_batches_get(nf_batches *b, uint64_t step, nf_view *x, nf_view *ctx, nf_view *weight,
                                nf_error *err) NF_NOEXCEPT;
/* [shared] Makes a source for nf_train_run that reads `b`; using the source is [excl] on `b`. */
NF_API nf_status nf_batches_source(nf_batches *b, nf_source *out, nf_error *err) NF_NOEXCEPT;
NF_API void nf_batches_free(nf_batches *b) NF_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif /* NF_H_ */
