/* nf.h - libnf: normalizing flows behind a plain C ABI. C99 and C++98.
 *
 * A model is a JSON spec (nf_parts_describe lists every layer) plus parameters. A session scores, maps and samples with
 * it; a trainer fits it. A new kind of flow adds a layer name to the spec, never a symbol to this header. Beside this
 * header: nf_infer.h (targets, importance sampling, Markov chains), nf_data.h (tables and mini-batches of files), and
 * nf.hpp (C++).
 *
 * All of it in one program: reads rows, fits a flow, saves it, scores the rows and draws new ones.
 *   #include <nf/nf.h>
 *   #include <nf/nf_data.h>
 *   int main(void) {
 *     const char *spec = "{\"event\": [2], \"layers\": [{\"repeat\": 4, \"layers\": ["
 *                        "{\"type\": \"affine_coupling\"}, {\"type\": \"reverse\"}]}]}";
 *     float scores[1000], drawn[100 * 2];
 *     nf_error err = NF_ERROR_INIT;
 *     nf_table *table = NULL;
 *     nf_model *model = NULL;
 *     nf_batch rows = NF_BATCH_INIT;
 *     nf_view x = NF_VIEW_INIT;
 *     nf_out score = nf_out_vec_f32(scores, 1000), draw = nf_out_rows_f32(drawn, 100, 2);
 *     rows.x = &x;
 *     if (nf_table_open(NULL, "rows.csv", NULL, &table, &err) ||      // 1000 rows of 2 columns
 *         nf_table_view(table, &x, &err) ||
 *         nf_model_create(NULL, spec, NF_TEXT, 1, &model, &err) ||    // initial parameters from seed 1
 *         nf_fit(model, &rows, NULL, NULL, NULL, NULL, NULL, &err) || // holds out a tenth, keeps the best weights
 *         nf_model_save(model, "flow.safetensors", &err) ||
 *         nf_score(model, &x, NULL, &score, &err) ||                  // log-density of every row
 *         nf_draw(model, 7, NULL, &draw, &err))                       // 100 samples, seed 7
 *       printf("%s: %s\n", nf_status_name(err.code), err.message);
 *     nf_model_free(model);
 *     nf_table_free(table);
 *     return err.code;
 *   }
 *
 * Rules for every function
 *
 *   R1  Functions that can fail return nf_status; 0 is success. From 1.0 on a code never changes its meaning; new codes
 *       may be added.
 *   R2  On error every out-parameter is left untouched and nothing leaks. One exception: an error during the
 *       computation may leave the memory behind an output view partly written.
 *   R3  The last parameter is `nf_error *err`, owned by the caller; it may be NULL. Only its struct_size is read, and
 *       it is written only on error. There is no global and no thread-local error state (goroutines move between
 *       threads).
 *   R4  X_create returns an owned handle. X_free returns void, and X_free(NULL) is a no-op. A handle keeps alive the
 *       handles it was created from, so they can be freed in any order.
 *   R5  const char* (UTF-8, NUL-terminated) and const T* of getters are valid until the next non-const call on the handle.
 *   R6  The thread class is in brackets. [any]: callable from any thread at any time. [shared]: several threads may
 *       call it on the same handle at once. [excl]: the caller must serialize calls on a handle. X_free is always
 *       [excl]. A session or trainer that is entered by a second thread during a call answers NF_ERR_STATE.
 *   R7  Callbacks run with no lock held and must not unwind (no C++ throw, Go or Rust panic, longjmp). They run only on
 *       the thread that entered libnf, except allocators and executors, which must be callable from any thread.
 *   R8  libnf never prints, aborts, exits, installs signal handlers, changes the caller's FP mode or locale, reads
 *       environment variables, registers atexit handlers, or starts threads other than those of nf_runtime_create.
 *       (Built with OpenBLAS, that library reads OPENBLAS_* when it is loaded, and maps memory past nf_allocator.)
 *   R9  Public structs start with struct_size, the size of the struct in the header that the caller was compiled with;
 *       every NF_X_INIT macro sets it. Structs grow at the end, and 0 in a new field means what was before. A smaller
 *       struct than the library's is read as if the missing fields were 0, and only what fits is written. A larger
 *       one is accepted if what the library does not know is 0, otherwise it is NF_ERR_ARGUMENT: a newer caller asks for
 *       something that this library cannot do. In structs that are written, what the library does not know is set to 0.
 *   R10 After the thread class stands how much a declaration can be relied on, and the version it came in. "stable": it
 *       will be in 1.0 and keep its signature and meaning from now on. "experimental": it may change in any minor
 *       version. From 1.0 on the ABI only grows. Before, a minor version may change what is not stable; the SONAME is
 *       libnf.so.0 throughout, and nf_runtime_create refuses a program whose header this library no longer serves.
 *
 * Directions: forward maps data x to latent z, inverse maps z to x. log_det is one number per row, in nats:
 * log |det dz/dx| for forward and log |det dx/dz| for inverse.
 */
#ifndef NF_H_
#define NF_H_
#include <stddef.h>
#include <stdint.h>

/* Define NF_STATIC when linking libnf.a on Windows. NF_BUILDING is for libnf itself. */
#if defined(_WIN32) && !defined(NF_STATIC)
#ifdef NF_BUILDING
#define NF_API __declspec(dllexport)
#else
#define NF_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define NF_API __attribute__((visibility("default")))
#else
#define NF_API
#endif
#if defined(__GNUC__)
#define NF_MUST_CHECK __attribute__((warn_unused_result))
#else
#define NF_MUST_CHECK
#endif
#ifdef __cplusplus
#if __cplusplus >= 201103L
#define NF_NOEXCEPT noexcept
#else
#define NF_NOEXCEPT throw()
#endif
#define NF_SIZEOF(type) static_cast<uint32_t>(sizeof(type))
extern "C" {
#else
#define NF_NOEXCEPT
#define NF_SIZEOF(type) ((uint32_t)sizeof(type))
#endif

/* ---- version ------------------------------------------------------------------------------------------------- */
#define NF_VERSION_MAJOR 0
#define NF_VERSION_MINOR 2
#define NF_VERSION_PATCH 0
#define NF_VERSION (NF_VERSION_MAJOR * 10000 + NF_VERSION_MINOR * 100 + NF_VERSION_PATCH)
/* [any; stable 0.1] Version of the loaded library; compare it with NF_VERSION of the header. */
NF_API uint32_t nf_version(void) NF_NOEXCEPT;
/* [any; stable 0.1] For logs and bug reports: "0.2.0 (simd AVX3, products OpenBLAS 0.3.21 SkylakeX)", or "own". */
NF_API const char *nf_version_string(void) NF_NOEXCEPT;

/* ---- status -------------------------------------------------------------------------------------------------- */
typedef int32_t nf_status;
enum nf_status_value {
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
  uint32_t struct_size; /* in: sizeof(nf_error)                                               */
  nf_status code;       /* the same as the returned status                                    */
  int32_t os_errno;     /* errno for NF_ERR_IO, otherwise 0                                   */
  int32_t layer;        /* the layer at fault, an index for nf_model_layer; -1 if none        */
  int64_t row;          /* the first row at fault of the batch that the call was given; -1 if none */
  char message[488];    /* what is wrong, where, and what would be right                      */
} nf_error;
#define NF_ERROR_INIT                        \
  {                                          \
    NF_SIZEOF(nf_error), 0, 0, -1, -1, { 0 } \
  }
/* [any; stable 0.1] Name of a status, such as "NF_ERR_SHAPE". Returns "NF_ERR_UNKNOWN" for an unrecognized code. */
NF_API const char *nf_status_name(nf_status status) NF_NOEXCEPT;

/* ---- handles ------------------------------------------------------------------------------------------------- */
typedef struct nf_options nf_options; /* typed key/value pairs: all configuration that is not in the spec */
typedef struct nf_runtime nf_runtime; /* allocator, threads, log sink                                     */
typedef struct nf_model nf_model;     /* spec and parameters                                              */
typedef struct nf_session nf_session; /* scratch memory for scoring and sampling; one per thread          */
typedef struct nf_trainer nf_trainer; /* optimizer state and gradient lanes                               */
typedef struct nf_target nf_target;   /* a density known up to a factor: nf_infer.h                       */

/* Length of a NUL-terminated text, where a function takes text and its length. */
#define NF_TEXT ((size_t)-1)
/* Receives text or a file in one or more pieces. Returns 0 on success, otherwise the call fails with NF_ERR_CALLBACK. */
typedef int32_t (*nf_write_fn)(void *user, const void *bytes, size_t n);

/* ---- options ------------------------------------------------------------------------------------------------- */
/* [any; stable 0.1] Lists every option as a JSON array of {"name", "scope", "type", "default", "doc"} plus "min" and "max"
 * for numbers or "choices" and "choice_docs". The name is the whole key, "trainer.lr"; the scope says which calls read it:
 * "runtime", "load", "session", "trainer", "fit", "table", "batches", "metropolis". The string is static. NULL only when
 * out of memory. */
NF_API const char *nf_options_describe(void) NF_NOEXCEPT;
/* [any; stable 0.1] Creates an empty set: every option has its default. */
NF_API NF_MUST_CHECK nf_status nf_options_create(nf_options **out, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] Set one option, "trainer.lr". An unknown key, a wrong type or a value out of bounds is
 * NF_ERR_SPEC; the message names the nearest key or the bounds. A call that is given a key of a scope that it does not
 * read fails with NF_ERR_SPEC: it would have no effect. Integers are exact in 64 bits. nf_options_set parses `value`
 * according to the option's type, for command lines and configuration files. */
NF_API nf_status nf_options_set_i64(nf_options *o, const char *key, int64_t value, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API nf_status nf_options_set_f64(nf_options *o, const char *key, double value, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API nf_status nf_options_set_str(nf_options *o, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API nf_status nf_options_set(nf_options *o, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.2] Writes the options that were set as a JSON object {"trainer.lr": 0.001, ...}, in the order of their
 * keys. Each value reads back with nf_options_set. Errors: CALLBACK. */
NF_API nf_status nf_options_json(const nf_options *o, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_options_free(nf_options *o) NF_NOEXCEPT;

/* ---- runtime ------------------------------------------------------------------------------------------------- */
/* Function tables supplied by the host. They are copied; `user` must outlive the runtime and its children.
 *
 * What the allocator provides: parameters, optimizer state, scratch memory of sessions and trainers, rows of tables and
 * batches, files read into memory. What it does not: handles, specs, names and messages (kilobytes per model), which come
 * from malloc, and mapped files. Option "runtime.max_bytes" limits the former, and nf_session_bytes and nf_trainer_bytes
 * count only it. */
typedef struct nf_allocator {
  uint32_t struct_size;
  void *user;
  /* size > 0, align a power of two <= 64. Returns NULL when out of memory. Both are called from any thread. */
  void *(*alloc)(void *user, size_t size, size_t align);
  void (*free)(void *user, void *p, size_t size, size_t align);
} nf_allocator;
#define NF_ALLOCATOR_INIT \
  { NF_SIZEOF(nf_allocator), NULL, NULL, NULL }
/* The host's thread pool. Without one, libnf starts option "runtime.threads" - 1 threads of its own. */
typedef struct nf_executor {
  uint32_t struct_size;
  uint32_t concurrency; /* most bodies that run at once; sessions and trainers keep scratch memory for so many */
  void *user;
  /* Runs body(ctx, i) once for every i in [0, n), n <= concurrency, on any threads in any order, and returns after all of
   * them have returned. libnf never calls it from inside a body (it is not nested). Sessions that run on several threads
   * call it at the same time; a pool that cannot do that may run the bodies on the calling thread. */
  void (*parallel_for)(void *user, uint32_t n, void (*body)(void *ctx, uint32_t i), void *ctx);
} nf_executor;
#define NF_EXECUTOR_INIT \
  { NF_SIZEOF(nf_executor), 0, NULL, NULL }
/* Receives notes on what the library chose to do; none of them is an error. Level 0, info: SIMD target and threads of
 * the runtime, files used in place, a batch size reduced to the number of rows. Level 1, warning: a file that "table.map"
 * = "on" could not use in place; a column to train on whose values float32 cannot tell apart, and what to do. */
typedef void (*nf_log_fn)(void *user, int32_t level, const char *utf8);

/* [any; stable 0.1] options (scope "runtime"), allocator, executor and log may each be NULL. Results never depend on the
 * number of threads.
 *
 * Which threads: a program that scores or trains on one thread wants the default, one thread per core. A server that has a
 * thread per request wants "runtime.threads" = 1, or sessions with "session.threads" = 1: each session then holds scratch
 * memory for one thread and never waits for another.
 *
 * Functions that take a runtime accept NULL for one with default options, which belongs to the handle they create.
 *
 * fork(): in the child, calls run on the calling thread only, because the runtime's threads stay in the parent; no call of
 * another thread may be under way while forking. exit(): nothing is registered with atexit; handles that are not freed are
 * left to the operating system, but none may be in use on another thread while the process exits.
 *
 * Errors: ARGUMENT (struct_size), VERSION (the header is newer than the library, or older than it serves), NOMEM, INTERNAL
 * (kernel self-test). */
NF_API NF_MUST_CHECK nf_status nf_runtime_create_v(uint32_t header_version, const nf_options *options,
                                                   const nf_allocator *allocator, const nf_executor *executor,
                                                   nf_log_fn log, void *log_user, nf_runtime **out,
                                                   nf_error *err) NF_NOEXCEPT;
#define nf_runtime_create(options, allocator, executor, log, log_user, out, err) \
  nf_runtime_create_v(NF_VERSION, (options), (allocator), (executor), (log), (log_user), (out), (err))
/* [excl; stable 0.1] */
NF_API void nf_runtime_free(nf_runtime *rt) NF_NOEXCEPT;

/* ---- numbers at the boundary --------------------------------------------------------------------------------- */
typedef int32_t nf_dtype;
enum nf_dtype_value { NF_F32 = 1, NF_F64 = 2, NF_U8 = 3 };
enum nf_view_flag { NF_STRIDED = 1 };
enum { NF_MAX_RANK = 8 };
/* Describes memory of the caller, borrowed for one call: nf_view is read, nf_out is written. Either float type and any strides
 * are accepted, converted to and from the model's dtype; rows of data x and contexts may also be bytes, NF_U8, and have the
 * bits of the same numbers as NF_F32. Outputs must not overlap inputs or each other; unchecked, and results are wrong then. */
typedef struct nf_view {
  uint32_t struct_size;
  nf_dtype dtype;               /* NF_F32, NF_F64, or NF_U8 for rows of data and contexts       */
  int32_t ndim;                 /* 0..8                                                         */
  int32_t flags;                /* 0: row-major without gaps; NF_STRIDED: `strides` is used     */
  const void *data;             /* any alignment; may be NULL when there are no elements        */
  int64_t shape[NF_MAX_RANK];   /* ndim extents >= 0, outermost first                           */
  int64_t strides[NF_MAX_RANK]; /* in elements, may be 0 or negative; read only if NF_STRIDED   */
} nf_view;
/* The same with memory that is written. */
typedef struct nf_out {
  uint32_t struct_size;
  nf_dtype dtype;
  int32_t ndim;
  int32_t flags;
  void *data;
  int64_t shape[NF_MAX_RANK];
  int64_t strides[NF_MAX_RANK];
} nf_out;
#define NF_VIEW_INIT                                                                             \
  {                                                                                              \
    NF_SIZEOF(nf_view), NF_F32, 0, 0, NULL, {0, 0, 0, 0, 0, 0, 0, 0}, { 0, 0, 0, 0, 0, 0, 0, 0 } \
  }
#define NF_OUT_INIT                                                                             \
  {                                                                                             \
    NF_SIZEOF(nf_out), NF_F32, 0, 0, NULL, {0, 0, 0, 0, 0, 0, 0, 0}, { 0, 0, 0, 0, 0, 0, 0, 0 } \
  }

/* Row-major memory of any rank, at most NF_MAX_RANK. */
static inline nf_view nf_array(nf_dtype dtype, const void *data, int32_t ndim, const int64_t *shape) {
  nf_view v = NF_VIEW_INIT;
  int32_t i;
  v.dtype = dtype;
  v.ndim = ndim;
  v.data = data;
  for (i = 0; i < ndim && i < NF_MAX_RANK; ++i) v.shape[i] = shape[i];
  return v;
}
static inline nf_out nf_out_array(nf_dtype dtype, void *data, int32_t ndim, const int64_t *shape) {
  nf_out v = NF_OUT_INIT;
  int32_t i;
  v.dtype = dtype;
  v.ndim = ndim;
  v.data = data;
  for (i = 0; i < ndim && i < NF_MAX_RANK; ++i) v.shape[i] = shape[i];
  return v;
}
/* Rows [n, columns] and vectors [n]. */
static inline nf_view nf_rows(nf_dtype dtype, const void *data, int64_t n, int64_t columns) {
  const int64_t shape[2] = {n, columns};
  nf_view v = nf_array(dtype, NULL, 2, shape);
  v.data = data; /* not passed on: gcc would warn if that memory is not initialized yet */
  return v;
}
static inline nf_out nf_out_rows(nf_dtype dtype, void *data, int64_t n, int64_t columns) {
  const int64_t shape[2] = {n, columns};
  return nf_out_array(dtype, data, 2, shape);
}
static inline nf_view nf_rows_f32(const float *x, int64_t n, int64_t columns) { return nf_rows(NF_F32, x, n, columns); }
static inline nf_view nf_rows_f64(const double *x, int64_t n, int64_t columns) {
  return nf_rows(NF_F64, x, n, columns);
}
static inline nf_view nf_vec(nf_dtype dtype, const void *data, int64_t n) {
  nf_view v = nf_array(dtype, NULL, 1, &n);
  v.data = data;
  return v;
}
static inline nf_view nf_vec_f32(const float *x, int64_t n) { return nf_vec(NF_F32, x, n); }
static inline nf_view nf_vec_f64(const double *x, int64_t n) { return nf_vec(NF_F64, x, n); }
static inline nf_out nf_out_rows_f32(float *x, int64_t n, int64_t columns) {
  return nf_out_rows(NF_F32, x, n, columns);
}
static inline nf_out nf_out_rows_f64(double *x, int64_t n, int64_t columns) {
  return nf_out_rows(NF_F64, x, n, columns);
}
static inline nf_out nf_out_vec_f32(float *x, int64_t n) { return nf_out_array(NF_F32, x, 1, &n); }
static inline nf_out nf_out_vec_f64(double *x, int64_t n) { return nf_out_array(NF_F64, x, 1, &n); }

/* Rows of data, by name. Streams that a call does not use must be NULL. All have as many rows, and `ctx` may have 1 for
 * all. The views are borrowed for one call, or where a function fills the batch in, until the next call on its handle. */
typedef struct nf_batch {
  uint32_t struct_size;
  uint32_t reserved;     /* 0                                                                            */
  const nf_view *x;      /* [n, event_size] or [n, height, width, channels]                              */
  const nf_view *ctx;    /* [n or 1, context_size]; NULL exactly when the model has no context           */
  const nf_view *weight; /* [n], >= 0; NULL: all 1                                                       */
  const nf_view *scores; /* as x: gradients of the target's log-density at x, for objective "fisher"     */
  const nf_view *part;   /* [n], for nf_fit: 0 = row to train on, 1 = to validate with, others = neither */
} nf_batch;
#define NF_BATCH_INIT \
  { NF_SIZEOF(nf_batch), 0, NULL, NULL, NULL, NULL, NULL }

/* ---- model --------------------------------------------------------------------------------------------------- */
/* [any; stable 0.1] Describes what a spec may contain, as JSON {"layers": [PART, ...], "nets": [PART, ...], "bases":
 * [PART, ...], ..., "embedding": PART, "spec": PART}: one list for every kind of part, and the fields of the spec itself.
 * PART is {"name", "doc", "source", "fields": [FIELD, ...]}, plus "aliases", names that are read too. FIELD is {"name",
 * "type", "default", "doc"} plus "min" and "max" for numbers, also "max_count" for lists, "max_bytes" for text, or
 * "choices". Types: integer, number, boolean, text, integers and numbers (lists), choice; object, which has "fields"; part,
 * of the list "of"; chain, a list of layers. The string is static. NULL only when out of memory. */
NF_API const char *nf_parts_describe(void) NF_NOEXCEPT;
/* [any; stable 0.1] Builds a model and draws its initial parameters from `seed`. The spec is UTF-8 JSON of spec_len bytes
 * (NF_TEXT: up to its NUL):
 *
 *   {"event": [6], "context": [0], "dtype": "float32", "base": "normal", "layers": [
 *     {"repeat": 8, "layers": [{"type": "affine_coupling", "net": {"type": "mlp", "hidden": [128, 128]}},
 *                              {"type": "reverse"}]}]}
 *
 *   "event"      number of columns of x and z, where 6 and [6] are the same, or [height, width, channels]. Required.
 *   "context"    number of columns of the context, likewise; default 0, no context.
 *   "prepare_context"  {}: standardizes the context by the training rows before anything sees it. Default none.
 *   "embedding"  {fields...}: a net applied to the context; layers and base see its output instead. Default none.
 *   "dtype"      "float32" (default) or "float64", for parameters and arithmetic.
 *   "kind"       what the model is; default "flow", whose fields these are.
 *   "base"       NAME or {"type": NAME, fields...}; default "normal".
 *   "layers"     the chain from x to z: a layer {"type": NAME, fields...} or a chain {"layers": [...]} each. Required.
 *   "repeat"     in a layer or chain: number of copies in a row, each with its own parameters; default 1.
 *   "invert"     in a layer, in a chain or at the top level: true swaps forward and inverse; default false.
 *   "per_pixel"  in a layer of an image: act on the channels of each pixel alike; nf_parts_describe has its default.
 * nf_parts_describe lists names and fields. Unknown keys are errors. Errors: SPEC (begins with the JSON path), NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_create(nf_runtime *rt, const char *spec_json, size_t spec_len, uint64_t seed,
                                               nf_model **out, nf_error *err) NF_NOEXCEPT;
/* [any; stable 0.1] Read a model or a checkpoint from a file or from memory; options of scope "load". A file larger
 * than "load.max_file_bytes" is NF_ERR_IO with os_errno EFBIG. With "load.verify" the rows stored by
 * nf_model_set_self_test are scored again: NF_ERR_CHECKSUM names the row and both numbers if they differ, or says that
 * the file has no such rows. Errors: IO, FORMAT, CHECKSUM, VERSION, SPEC, NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_load(nf_runtime *rt, const char *path, const nf_options *options,
                                             nf_model **out, nf_error *err) NF_NOEXCEPT;
/* [any; stable 0.1] */
NF_API NF_MUST_CHECK nf_status nf_model_load_memory(nf_runtime *rt, const void *bytes, size_t n,
                                                    const nf_options *options, nf_model **out,
                                                    nf_error *err) NF_NOEXCEPT;
/* Write the model as safetensors. Equal models give equal bytes. nf_model_save replaces `path` atomically and durably. */
/* [shared; stable 0.1] */
NF_API nf_status nf_model_save(const nf_model *m, const char *path, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] */
NF_API nf_status nf_model_save_stream(const nf_model *m, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] From now on, files and checkpoints of this model also hold `rows` samples of it, at most 1000,
 * drawn when it is saved, and their log_prob, for "load.verify" to check on another machine; 0 rows: none. No row of data
 * is stored. Processors round differently, so a log_prob may differ by a relative 1e-4 (float32) or 1e-9 (float64), or by
 * that much where it is smaller than 1. Older versions ignore the rows. Errors: ARGUMENT (rows). */
NF_API nf_status nf_model_set_self_test(nf_model *m, int64_t rows, nf_error *err) NF_NOEXCEPT;
/* [shared on m; stable 0.2] Creates an independent copy: spec, parameters, buffers, notes. rt NULL: the runtime of m. A
 * service keeps scoring with the copy while m trains on. Errors: NOMEM. */
NF_API NF_MUST_CHECK nf_status nf_model_clone(const nf_model *m, nf_runtime *rt, nf_model **out,
                                              nf_error *err) NF_NOEXCEPT;
/* [excl on to, shared on from; stable 0.2] Copies parameters, buffers and notes. Sessions of `to` stay valid and see them
 * from their next call on; its trainer goes on from them. Errors: SPEC (the canonical specs differ). */
NF_API nf_status nf_model_copy(nf_model *to, const nf_model *from, nf_error *err) NF_NOEXCEPT;
/* [any; stable 0.2] Counts the changes of the parameters since the model was created: after a step, a copy, a restored
 * checkpoint or a set tensor it is another number. Costs one load from memory. 0 for NULL. */
NF_API uint64_t nf_model_generation(const nf_model *m) NF_NOEXCEPT;
/* [shared; stable 0.2] Hash of the bits of all tensors; reads them all. 0 for NULL. */
NF_API uint64_t nf_model_hash(const nf_model *m) NF_NOEXCEPT;
/* [shared; stable 0.1] The canonical spec, with every default written out. NULL if m is NULL. */
NF_API const char *nf_model_spec(const nf_model *m) NF_NOEXCEPT;
/* [shared; experimental 0.1] Writes what the model is, as UTF-8 JSON without a terminating NUL: {"kind": "flow", "event":
 * [8, 8, 1], "latent": [64], "context": [0], "dtype": "float32", "log_prob": "exact", "layers": [...], "scales": [...]}.
 * "layers" are {"name": "layers.0", "where": "spec.layers[0] (squeeze)", "type": "squeeze", "inverted": false, "event": [8,
 * 8, 1], "latent": [4, 4, 4], "columns": 64}, after nesting and repeats are expanded, in forward order, with the fields of
 * nf_layer_info; a layer turns an "event" into a "latent" of as many columns. "scales" are {"where": "spec.layers[1]
 * (split)", "first_column": 32, "columns": 32, "event": [4, 4, 2]}: which columns of the latents leave the chain together,
 * and their shape; first those that go through all layers, with "where" empty, then what each split factors out, from the
 * innermost. Errors: CALLBACK. */
NF_API nf_status nf_model_describe(const nf_model *m, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;

enum nf_log_prob_kind { NF_EXACT = 1, NF_BOUND = 2 };
typedef struct nf_model_info {
  uint32_t struct_size;
  nf_dtype dtype;
  int64_t event_size;   /* columns of x: the product of the event's shape     */
  int64_t latent_size;  /* columns of z                                       */
  int64_t context_size; /* columns of the context, 0 = unconditional          */
  int64_t param_count;  /* trainable numbers                                  */
  int64_t tensor_count; /* named tensors, including buffers                   */
  int64_t layer_count;  /* layers after nesting and repeats are expanded      */
  int32_t log_prob;     /* NF_EXACT or NF_BOUND, see nf_log_prob              */
  int32_t has_layers;   /* 1: a chain with forward, inverse and trace         */
  int32_t event_ndim;   /* 1, or 3 for [height, width, channels]              */
  int32_t latent_ndim;
  int64_t event[NF_MAX_RANK];
  int64_t latent[NF_MAX_RANK];
} nf_model_info;
#define NF_MODEL_INFO_INIT                                                                                          \
  {                                                                                                                 \
    NF_SIZEOF(nf_model_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0, 0, 0, 0, 0, 0, 0, 0}, { 0, 0, 0, 0, 0, 0, 0, 0 } \
  }
/* [shared; stable 0.1] */
NF_API nf_status nf_model_get_info(const nf_model *m, nf_model_info *info, nf_error *err) NF_NOEXCEPT;

typedef struct nf_layer_info {
  uint32_t struct_size;
  int32_t inverted;     /* 1: "invert" in the spec swapped its directions                               */
  int64_t repetition;   /* which copy of the entry at `path`, from 0, counted through all repeats around it */
  int64_t columns;      /* it acts on the first `columns` of a row, fewer than all inside a "split"     */
  int64_t first_tensor; /* its tensors are first_tensor .. first_tensor + tensor_count - 1              */
  int64_t tensor_count;
  const char *type;  /* "affine_coupling"; all four texts are borrowed from the model                  */
  const char *path;  /* where the spec says so: "spec.layers[0].layers[1]"                               */
  const char *name;  /* what the names of its tensors start with: "layers.3"                           */
  const char *where; /* for messages: "spec.layers[0].layers[1] (affine_coupling, repetition 3)"       */
} nf_layer_info;
#define NF_LAYER_INFO_INIT \
  { NF_SIZEOF(nf_layer_info), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL }
/* [shared; stable 0.2] index in [0, layer_count), in forward order. */
NF_API nf_status nf_model_layer(const nf_model *m, int64_t index, nf_layer_info *info, nf_error *err) NF_NOEXCEPT;

typedef struct nf_tensor_info {
  uint32_t struct_size;
  nf_dtype dtype;
  int32_t ndim;
  int32_t trainable; /* 0: a buffer (running statistics, a fixed rotation or permutation)      */
  int32_t masked;    /* 1: some entries are fixed at 0, see nf_model_get_mask                  */
  int32_t reserved;
  const char *name; /* "layers.0.net.hidden.0.weight"; borrowed from the model                */
  int64_t shape[NF_MAX_RANK];
} nf_tensor_info;
#define NF_TENSOR_INFO_INIT                                                    \
  {                                                                            \
    NF_SIZEOF(nf_tensor_info), 0, 0, 0, 0, 0, NULL, { 0, 0, 0, 0, 0, 0, 0, 0 } \
  }
/* [shared; stable 0.1] index in [0, tensor_count). */
NF_API nf_status nf_model_tensor(const nf_model *m, int64_t index, nf_tensor_info *info, nf_error *err) NF_NOEXCEPT;
/* Copy a tensor out of or into the model by name. The view must have the tensor's shape. Tensors are dense, whatever
 * libnf stores (include/nf/README.md lists them): weights are [outputs, inputs] and act on columns, y = W x + b; triangular
 * and masked matrices are square or rectangular with zeros, and setting ignores what the mask excludes. Buffers that must
 * stay valid (a permutation, a rotation) are checked: NF_ERR_ARGUMENT. set refuses NaN and infinity: NF_ERR_NUMERIC. */
/* [shared; stable 0.1] */
NF_API nf_status nf_model_get_tensor(const nf_model *m, const char *name, const nf_out *out, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API nf_status nf_model_set_tensor(nf_model *m, const char *name, const nf_view *value, nf_error *err) NF_NOEXCEPT;
/* [shared; experimental 0.2] Fills out, of the tensor's shape, with 1 where entries are used and 0 where they are fixed at 0.
 * Hidden units of masked nets (Germain et al. 2015) are sorted by degree, the number of columns of x that a unit may depend
 * on: an importer sorts rows and columns to match. Inputs (context, then x) and outputs follow the columns of x. */
NF_API nf_status nf_model_get_mask(const nf_model *m, const char *name, const nf_out *out, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] Data-dependent initialization: sets the layers that take their initial parameters from data
 * ("actnorm", "standardize", "batch_norm"). In chain order, each takes the mean and unbiased standard deviation of the
 * rows x [n, event_size] as they arrive at it; a constant column is only centered. This happens once in the life of a
 * model: a flag, the tensor "...initialized", is saved with it. If every layer is already initialized, the call is a no-op.
 * Without this call nf_fit initializes from all training rows, and nf_train_step from its first batch; call it with all
 * training rows if the chain has "standardize". Needs memory for one copy of the rows, unless the only layer to initialize
 * is the first of the chain. Errors, which change nothing: ARGUMENT (fewer than 2 rows), NUMERIC (a row is not finite; the
 * message says where). */
NF_API nf_status nf_model_init_from_data(nf_model *m, const nf_view *x, const nf_view *ctx, nf_error *err) NF_NOEXCEPT;
/* Notes are saved in the model's file: column names, units, who trained it. A NULL value removes the note. */
/* [excl; stable 0.1] */
NF_API nf_status nf_model_set_note(nf_model *m, const char *key, const char *value, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] NULL when there is no such note. */
NF_API const char *nf_model_note(const nf_model *m, const char *key) NF_NOEXCEPT;
/* [shared; stable 0.1] Key number `index` in alphabetical order; NULL when out of range. */
NF_API const char *nf_model_note_key(const nf_model *m, int64_t index) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_model_free(nf_model *m) NF_NOEXCEPT;

/* ---- the simple tier: whole jobs in one call ------------------------------------------------------------------ */
enum nf_fit_stop {
  NF_STOP_FINISHED = 1, /* all steps were taken                                         */
  NF_STOP_PATIENCE = 2, /* the validation score has not improved for "fit.patience" validations */
  NF_STOP_REQUESTED = 3 /* the callback asked for it                                    */
};
typedef struct nf_fit_info {
  uint32_t struct_size;
  int32_t validated;      /* in a callback, 1: `valid` is new, 0: only a step was taken             */
  int32_t improved;       /* 1: the last validation was the best so far                             */
  int32_t stop;           /* an nf_fit_stop; 0 while the run goes on                                */
  uint64_t step, planned; /* steps applied so far, and in all                                       */
  uint64_t best_step;     /* step of the best validation, 0 if none had a row with a density so far  */
  uint64_t steps_per_epoch;
  int64_t train_rows, valid_rows;
  double loss;               /* of the last step, in nats; see nf_step_info                            */
  double train;              /* mean of -loss over the steps since the last validation                 */
  double valid;              /* weighted mean log_prob of the validation rows; -infinity if a row has none            */
  double valid_error;        /* its standard error; 0 at -infinity                                     */
  double best;               /* `valid` of the best validation so far, NaN before best_step            */
  double lr, grad_norm;      /* of the last step                                                       */
  double seconds;            /* wall time of the run so far                                            */
  int64_t bad_rows, bad_row; /* validation rows without a finite log_prob: how many, and the first or -1 */
  double valid_rest;         /* weighted mean log_prob of the other validation rows                      */
  int64_t batch_rows;        /* of the last step                                                         */
  int64_t merged_rows;       /* too few for "batch_norm" at the end of an epoch: they join the batch before */
  uint64_t valid_every;      /* steps between validations                                                */
  uint64_t diverged_at;      /* last step at which "trainer.guard" found the run diverged, or 0          */
  int32_t went_back;         /* how often the guard went back to the best state                          */
  int32_t point;             /* in a callback, 1: the checkpoint follows                                 */
} nf_fit_info;
#define NF_FIT_INFO_INIT \
  { NF_SIZEOF(nf_fit_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* Called after every step, after every validation once more, and with option "fit.announce" once before the first step.
 * Nonzero stops the run: not an error, the best weights are kept. Where `point` is 1, the model holds the weights that are
 * kept (the averaged ones, with "trainer.ema_decay"); the callback may score, save or clone it and set its notes, which
 * are in the checkpoint that follows. */
typedef int32_t (*nf_fit_fn)(void *user, const nf_fit_info *info);
/* [excl; stable 0.2] Trains m on `data` and leaves the weights of the best validation in it, or with option
 * "fit.restore_best" = false the last ones.
 * The rows are split by "fit.split_seed" into "fit.holdout" (default 0.1) for validation and the rest for training, unless
 * data.part splits them or `valid` gives the validation rows; without any the last weights stay. Rows of weight 0 are left
 * out. No row is copied. Rows of a mapped table of m's runtime (nf_data.h) are split by blocks of "batches.block" rows, in
 * order "blocks" unless another one is set, with at most 100,000 held out by default; "batches.part_begin" and ".part_end"
 * restrict a run to a part of the blocks, whose end is held out.
 * Layers that start from data start from all training rows: put "standardize" first in the spec to fit data of any scale.
 * Every "fit.valid_every" steps (default: one epoch, but 16 to 64 times in a run) the validation rows are scored. A
 * validation with fewer rows without a density is better, and among equals one with a larger mean of the others;
 * "fit.patience" validations without improvement end the run. With "fit.checkpoint" = PATH the run is saved there after
 * each validation and when the callback stops it. With "fit.resume" it continues from that file, bit for bit, and starts
 * if there is none; a file of a run with other settings or rows is NF_ERR_STATE.
 * Scopes read: "fit", "trainer", "batches", "session". valid, options, on_progress and info may be NULL; info receives the
 * end of the run. Errors: as of nf_train_step and nf_trainer_create, where nf_error.row is the row of `data`, or of `valid`
 * if the message says so; UNSUPPORTED (an objective without data), SHAPE (too few rows to split), NUMERIC (a validation row
 * is not finite, or none ever had a density). After an error the model holds the best weights so far. */
NF_API nf_status nf_fit(nf_model *m, const nf_batch *data, const nf_batch *valid, const nf_options *options,
                        nf_fit_fn on_progress, void *user, nf_fit_info *info, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.2] Scores rows as nf_log_prob does, with a session for this one call. Keep a session instead to score
 * again and again. */
NF_API nf_status nf_score(const nf_model *m, const nf_view *x, const nf_view *ctx, const nf_out *log_prob,
                          nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.2] Fills out with samples 0 .. n - 1 of the stream `seed`, as nf_sample does. */
NF_API nf_status nf_draw(const nf_model *m, uint64_t seed, const nf_view *ctx, const nf_out *out,
                         nf_error *err) NF_NOEXCEPT;

/* ---- inference ------------------------------------------------------------------------------------------------- */
/* A session is [excl]: a call while another thread is in the same session is NF_ERR_STATE and does nothing. Any number of
 * sessions may use one model at once, as long as no thread trains or modifies it.
 * x and z are [n, event_size] and [n, latent_size], or [n, height, width, channels] if the event or the latent has that
 * shape, for any n; strides take images that are stored channel first. ctx is [n, context_size], or [1, context_size] to
 * share one row, or NULL when the model has no context. log_det and log_prob are [n]. The bits of a row's result do not depend
 * on n or on other rows. log_prob of a row without NaN is finite or -infinity (density 0: the row lies outside of a layer's
 * domain, or a number on the way overflows); it is NaN if the row is, its context is invalid, or a parameter is not finite.
 * With "session.nonfinite" = "error" both are NF_ERR_NUMERIC and nf_error.row is the row. Calls allocate nothing, but the
 * first gradient of a session without "session.gradients" reserves scratch memory. */
/* [shared on the model; stable 0.1] Options of scope "session". "session.threads" (default: all of the runtime's) is how
 * many of the runtime's threads one call may use; memory is proportional to it. */
NF_API NF_MUST_CHECK nf_status nf_session_create(const nf_model *m, const nf_options *options, nf_session **out,
                                                 nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] Scratch memory, in bytes; 0 for NULL. */
NF_API size_t nf_session_bytes(const nf_session *s) NF_NOEXCEPT;
/* [excl; stable 0.1] Computes log_prob of every row, in nats. Of a model that draws numbers while it scores, it is a bound:
 * exp of it is an unbiased estimate of the density, so that its expectation over draws is at most the log-density. Option
 * "session.score_samples" takes the mean over that many draws inside the logarithm, which is closer to the log-density the
 * more there are (Burda et al. 2016). What is drawn for a row is a function of option "session.score_seed", the numbers of
 * the row and of its context, and the draw: equal rows have equal results wherever they stand, and in any dtype that holds
 * their numbers. nf_forward and nf_trace take the first of these draws. */
NF_API nf_status nf_log_prob(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_out *log_prob,
                             nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] The same for one row x [event_size] and ctx [context_size] (or NULL), without views: for latency. */
NF_API nf_status nf_log_prob_row(nf_session *s, const double *x, const double *ctx, double *log_prob,
                                 nf_error *err) NF_NOEXCEPT;

typedef int32_t nf_direction;
enum nf_direction_value { NF_FORWARD = 0, NF_INVERSE = 1 };
/* [excl; stable 0.1] Map x to z, and z to x. log_det may be NULL. */
NF_API nf_status nf_forward(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_out *z, const nf_out *log_det,
                            nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API nf_status nf_inverse(nf_session *s, const nf_view *z, const nf_view *ctx, const nf_out *x, const nf_out *log_det,
                            nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] Writes the rows before, between and after all layers. out is [layer_count + 1, n, columns], or for an
 * event [height, width, channels] also [layer_count + 1, n, height, width, channels]; every plane is flat rows in that
 * shape, whatever the layers make of the event. out[0] = from, and out[k] holds the rows after the first k layers of that
 * direction, so out[layer_count] has the bits of nf_forward or nf_inverse. log_det [layer_count, n] receives what each of
 * these layers adds to log_det, and may be NULL. Layer k is nf_model_layer(m, k - 1) in forward and nf_model_layer(m,
 * layer_count - k) in inverse. */
NF_API nf_status nf_trace(nf_session *s, nf_direction direction, const nf_view *from, const nf_view *ctx,
                          const nf_out *out, const nf_out *log_det, nf_error *err) NF_NOEXCEPT;

/* Which samples, for nf_sample. A struct with all fields 0 asks for the first samples of stream 0. */
typedef struct nf_sampling {
  uint32_t struct_size, reserved; /* reserved: 0 */
  uint64_t seed;                  /* the stream                                                                     */
  uint64_t first_index;           /* samples first_index .. first_index + n - 1 of it                               */
  int64_t repeat;                 /* 0 or 1: sample i has context row i. m: samples i m .. i m + m - 1 have row i   */
  double temperature; /* factor of the base's deviation from its mean (Kingma & Dhariwal 2018); 0 = 1. Bases without
                           a location and a scale refuse others than 1: NF_ERR_UNSUPPORTED                               */
} nf_sampling;
#define NF_SAMPLING_INIT \
  { NF_SIZEOF(nf_sampling), 0, 0, 0, 0, 0 }
/* [excl; stable 0.2] Fills out [n, event_size] with samples. A sample's bits do not depend on how a run is split into calls
 * or threads. log_prob [n] receives the model's log-density at the samples (at temperature 1) from the same pass, or where
 * it is a bound what nf_log_prob gives for them, and may be NULL. ctx has n / repeat rows, or 1. how NULL: all 0. */
NF_API nf_status nf_sample(nf_session *s, const nf_sampling *how, const nf_view *ctx, const nf_out *out,
                           const nf_out *log_prob, nf_error *err) NF_NOEXCEPT;

/* ---- gradients at the boundary --------------------------------------------------------------------------------
 * Derivatives with respect to rows, not parameters, of models that are chains of layers (nf_model_info.has_layers).
 * Rows are independent to the bit, as in nf_log_prob, any dtype and strides are taken, and every out may be NULL.
 * Gradients with respect to the context are per row, [n, context_size], also where ctx is one row for all. Where log_prob
 * is a bound, its gradient holds the draws, and a column that "dequantize" rounds moves together with its cell; in the
 * inverse direction such a column is constant. The first of these calls allocates for all of them (a copy of the weights
 * and larger scratch memory, counted by nf_session_bytes), unless "session.gradients" did at creation; if that fails, the
 * session stays as it was. Errors: UNSUPPORTED (no chain; nf_jvp: a layer without a tangent rule, named), NUMERIC (with
 * "session.nonfinite" = "error": a value, a derivative, or what it is multiplied by is not finite; nf_error.row). */
/* [excl; stable 0.2] log_prob [n], its gradient dx [n, event_size] and dctx. */
NF_API nf_status nf_log_prob_grad(nf_session *s, const nf_view *x, const nf_view *ctx, const nf_out *log_prob,
                                  const nf_out *dx, const nf_out *dctx, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] Pulls cotangents back through forward (from = x) or inverse (from = z). With to, log_det = f(from,
 * ctx): d_from = J' cot_to + cot_log_det * grad log_det, and d_ctx likewise. cot_to has the shape of to, cot_log_det is
 * [n]; NULL stands for zeros. */
NF_API nf_status nf_vjp(nf_session *s, nf_direction direction, const nf_view *from, const nf_view *ctx,
                        const nf_view *cot_to, const nf_view *cot_log_det, const nf_out *to, const nf_out *log_det,
                        const nf_out *d_from, const nf_out *d_ctx, nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] Pushes tangents of from and ctx (NULL: zeros) forward: tan_to = J tan_from + J_ctx tan_ctx, and
 * tan_log_det [n]. tan_ctx has n rows or 1, whatever ctx has. */
NF_API nf_status nf_jvp(nf_session *s, nf_direction direction, const nf_view *from, const nf_view *ctx,
                        const nf_view *tan_from, const nf_view *tan_ctx, const nf_out *to, const nf_out *log_det,
                        const nf_out *tan_to, const nf_out *tan_log_det, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_session_free(nf_session *s) NF_NOEXCEPT;

/* ---- training: the host owns the loop ------------------------------------------------------------------------- */
typedef struct nf_step_info {
  uint32_t struct_size, reserved;
  uint64_t step;     /* steps applied so far                                                    */
  double loss;       /* the objective before the step, in nats; for "nll" the weighted mean of -log_prob */
  double loss_error; /* standard error of `loss` for objectives that draw samples, otherwise 0  */
  double grad_norm;  /* 2-norm of the gradient before clipping                                  */
  double lr;         /* learning rate of this step                                              */
  double seconds;    /* wall time of this call                                                  */
  int32_t diverged;  /* 1: at this step "trainer.guard" found that the run has diverged         */
  int32_t went_back; /* how often it went back to the best state so far                         */
  double drift;      /* "trainer.memory" = "invert": largest error of a rebuilt input, relative to its largest number */
  int32_t drift_layer; /* the layer that it is the input of                                     */
  int32_t kept_inputs; /* how many layers have drifted too far, and keep their inputs           */
} nf_step_info;
#define NF_STEP_INFO_INIT \
  { NF_SIZEOF(nf_step_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
typedef struct nf_collective { /* data-parallel training over processes; NULL = one process */
  uint32_t struct_size;
  int32_t rank, world;
  void *user;
  /* Sums n numbers of `dtype` over all ranks, in place; calls come in one fixed order. Returns 0 on success. */
  int32_t (*allreduce_sum)(void *user, void *buf, size_t n, nf_dtype dtype);
} nf_collective;
#define NF_COLLECTIVE_INIT \
  { NF_SIZEOF(nf_collective), 0, 0, NULL, NULL }

/* [excl on the model; stable 0.1] Options of scope "trainer": "trainer.objective", "trainer.optimizer", "trainer.lr",
 * "trainer.schedule", "trainer.clip_norm", "trainer.groups", "trainer.memory", ... A model has at most one trainer at a time;
 * a second one is NF_ERR_STATE. Errors: SPEC (a setting that the others would ignore, groups that match no parameter),
 * UNSUPPORTED (an objective that cannot train a layer). */
NF_API NF_MUST_CHECK nf_status nf_trainer_create(nf_model *m, const nf_options *options, const nf_collective *c,
                                                 nf_trainer **out, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.2] Writes all settings of the trainer, defaults included, as a JSON object {"trainer.lr": 0.001, ...},
 * each of which reads back with nf_options_set. Errors: CALLBACK. */
NF_API nf_status nf_trainer_options(const nf_trainer *t, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] Sets or replaces the target of an objective that has one (nf_infer.h). The trainer keeps it alive.
 * Errors: SHAPE (columns differ from the model's), STATE (the objective has no target). */
NF_API nf_status nf_trainer_set_target(nf_trainer *t, const nf_target *target, nf_error *err) NF_NOEXCEPT;
/* [shared; stable 0.1] Bytes the trainer holds; grows only when the batch does. */
NF_API size_t nf_trainer_bytes(const nf_trainer *t) NF_NOEXCEPT;
/* [excl; stable 0.2] Takes one step on a batch of n >= 1 rows. info may be NULL. If the loss or gradient is not finite the
 * step is not applied: NF_ERR_NUMERIC names the layer and rows (nf_error.layer, .row), and the parameters keep their values.
 * Layers with data-dependent initialization that have not been initialized take it from the first batch, as in
 * nf_model_init_from_data. "batch_norm" needs 2 rows of weight above 0, which count equally in its statistics, and keeps the
 * graph of the whole batch in memory.
 * What a step minimizes is option "trainer.objective"; nf_options_describe says what each objective computes and which
 * streams of the batch and options it has. Objectives without data (those that only draw samples from the model) take a
 * batch whose only stream is ctx, with 1 or "trainer.samples" rows, or NULL. Samples are a function of (seed, step, row): the
 * same bits for any number of threads and after a restart. A target that fails, or returns NaN or infinity, gives
 * NF_ERR_CALLBACK, NF_ERR_CANCELLED, or NF_ERR_NUMERIC naming the row; the step is not applied and the trainer stays usable.
 * Without data, layers with data-dependent initialization keep their initial parameters and "batch_norm" uses its running
 * statistics; objectives with data beside samples or scores refuse "batch_norm" (NF_ERR_UNSUPPORTED). */
NF_API nf_status nf_train_step(nf_trainer *t, const nf_batch *batch, nf_step_info *info, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] Computes the objective on a batch of any size with the model's parameters as they are, without a step:
 * loss, and its standard error over rows, or samples for objectives that draw them; 0 for a single one. loss_error may be
 * NULL. There is no dropout, and "batch_norm" uses its running statistics. Samples are those of the next step. Errors: as of
 * nf_train_step; STATE (a layer with data-dependent initialization has not been initialized). */
NF_API nf_status nf_trainer_evaluate(nf_trainer *t, const nf_batch *batch, double *loss, double *loss_error,
                                     nf_error *err) NF_NOEXCEPT;

/* Losses of the host. The host maps rows with a session, computes any loss of the results, and hands in the derivatives of
 * that loss; the trainer adds up gradients of the parameters over any number of calls, then takes a step.
 *   x -> z and log_det (direction NF_FORWARD):  batch.x are data rows, out is dloss/dz,
 *   z -> x and log_det (direction NF_INVERSE):  batch.x are latents,   out is dloss/dx;
 * log_det is dloss/dlog_det [n], and log_prob [n] is dloss/dlog_prob of the data row: of batch.x in NF_FORWARD, of the x that
 * NF_INVERSE gives, through all of its dependence on the parameters. Each may be NULL. A cotangent of log_prob alone with
 * -weight / sum of weights is exactly "nll". A row whose cotangents are all 0 counts as a row of weight 0: it may hold
 * anything.
 * Training is not scoring: dropout is on, as in a step, with other draws in every call; "batch_norm" in NF_FORWARD uses the
 * statistics of the batch of the call, and updates its running ones; the first call in NF_FORWARD initializes layers with
 * data-dependent initialization, so call nf_model_init_from_data before mapping rows with a session. */
typedef struct nf_cotangents {
  uint32_t struct_size;
  nf_direction direction;
  const nf_view *out;      /* as the result                    */
  const nf_view *log_det;  /* [n]                              */
  const nf_view *log_prob; /* [n]                              */
} nf_cotangents;
#define NF_COTANGENTS_INIT \
  { NF_SIZEOF(nf_cotangents), NF_FORWARD, NULL, NULL, NULL }
/* [excl; experimental 0.2] Adds parameter gradients. batch: x and ctx. The objective of the trainer plays no part. Errors:
 * UNSUPPORTED (no chain of layers; a layer draws numbers, as "dequantize" does, and anything but log_prob in NF_FORWARD is
 * given), NUMERIC (a cotangent or a result is not finite; nf_error.row). An error leaves what was added before. */
NF_API nf_status nf_trainer_accumulate(nf_trainer *t, const nf_batch *batch, const nf_cotangents *c,
                                       nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] Clips, takes one optimizer step with the gradients added so far, and forgets them. `loss` is the
 * host's, for info only; schedule "plateau" listens to nf_trainer_observe, as in nf_train_step. Errors: STATE (nothing was
 * added), NUMERIC (the gradient is not finite; it is forgotten and the step is not applied). While gradients wait,
 * nf_train_step and nf_trainer_save answer NF_ERR_STATE. */
NF_API nf_status nf_trainer_apply(nf_trainer *t, double loss, nf_step_info *info, nf_error *err) NF_NOEXCEPT;
/* [excl; experimental 0.2] Forgets the gradients added so far; a no-op if there are none. */
NF_API nf_status nf_trainer_discard(nf_trainer *t, nf_error *err) NF_NOEXCEPT;

/* Fills in the batch for step number `step`; it arrives empty. Views and data are borrowed until the next call. Returns 1
 * for a batch, 0 at the end, < 0 on error (NF_ERR_CALLBACK). */
typedef struct nf_source {
  uint32_t struct_size;
  void *user;
  int32_t (*next)(void *user, uint64_t step, nf_batch *batch);
} nf_source;
#define NF_SOURCE_INIT \
  { NF_SIZEOF(nf_source), NULL, NULL }
typedef int32_t (*nf_progress_fn)(void *user, const nf_step_info *info); /* nonzero stops: NF_ERR_CANCELLED */
/* [excl; stable 0.1] Trains until max_steps steps have been applied in total (0 = no limit), the source ends, or on_step
 * (may be NULL) stops it. source is NULL for objectives without data on models without context. */
NF_API nf_status nf_train_run(nf_trainer *t, const nf_source *source, uint64_t max_steps, nf_progress_fn on_step,
                              void *user, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] Reports a validation loss (lower is better) to schedule "plateau"; other schedules ignore it. Saved in
 * checkpoints. NaN counts as no improvement. */
NF_API nf_status nf_trainer_observe(nf_trainer *t, double validation_loss, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] Changes the learning rate that the schedule starts from: of the group of "trainer.groups" whose "match"
 * is `group`, with "" of the parameters of no group, with NULL of all. nf_trainer_options shows it, and checkpoints hold it;
 * restoring a checkpoint without it goes back to the rates of the options. Errors: ARGUMENT (lr is not above 0, above 1000 or
 * below the schedule's end; no such group, or a frozen one). */
NF_API nf_status nf_trainer_set_lr(nf_trainer *t, const char *group, double lr, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] Begins anew from the parameters in the model, for other data: the step count, the schedule, "plateau"
 * and the average start from the beginning; optimizer moments are kept with their age (keep_moments = 1) or zeroed (0).
 * Accumulated gradients are forgotten; learning rates and initialized layers stay. Errors: ARGUMENT (keep_moments). */
NF_API nf_status nf_trainer_restart(nf_trainer *t, int32_t keep_moments, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] A checkpoint is a model file that also holds optimizer state, step and schedule state. Restoring
 * it into a trainer with the same spec and options continues with the same bits as if training had never stopped.
 * nf_trainer_save is atomic and durable. */
NF_API nf_status nf_trainer_save(const nf_trainer *t, const char *path, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] */
NF_API nf_status nf_trainer_save_stream(const nf_trainer *t, nf_write_fn write, void *user, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API nf_status nf_trainer_restore(nf_trainer *t, const char *path, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.2] */
NF_API nf_status nf_trainer_restore_memory(nf_trainer *t, const void *bytes, size_t n, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] Steps applied so far. */
NF_API uint64_t nf_trainer_step_count(const nf_trainer *t) NF_NOEXCEPT;
/* [excl; stable 0.1] With option "trainer.ema_decay": on = 1 puts the averaged parameters into the model, to score, sample
 * and save with them; on = 0 puts back those of the last step, which nf_train_step does by itself. Calling it in the state
 * it asks for is a no-op. Checkpoints hold both and must be saved with on = 0. Errors: STATE (no average is kept),
 * ARGUMENT. */
NF_API nf_status nf_trainer_use_average(nf_trainer *t, int32_t on, nf_error *err) NF_NOEXCEPT;
/* [excl; stable 0.1] */
NF_API void nf_trainer_free(nf_trainer *t) NF_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif /* NF_H_ */
