/* A program that uses every public struct of nf.h and nf_infer.h; growth_test.py compiles it against headers whose structs
 * have a field more or a field less at the end than those that the library was compiled with.
 *
 *   growth_client newer    every call works; fields that the library does not know come back as 0, and are refused if set
 *   growth_client older    every call refuses these structs: no version had them
 *   growth_client today    every call works
 */
#include <nf/nf.h>
#include <nf/nf_infer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int problems;
static const char *mode;

/* What a call is expected to answer: OK, or in an older program ARGUMENT. */
static void expect(const char *what, nf_status status, const nf_error *err) {
  const nf_status wanted = strcmp(mode, "older") == 0 ? NF_ERR_ARGUMENT : NF_OK;
  if (status == wanted) return;
  ++problems;
  printf("%s: %s, not %s\n", what, nf_status_name(status), nf_status_name(wanted));
  (void)err;
}

#ifdef NF_GROWN /* the header has a field `grown` at the end of every struct */
static void expect_zero(const char *what, int64_t grown) {
  if (grown == 0) return;
  ++problems;
  printf("%s: the unknown field is %lld\n", what, (long long)grown);
}
static void expect_refused(const char *what, nf_status status, const nf_error *err) {
  if (status == NF_ERR_ARGUMENT && err->code == status && strstr(err->message, "does not know")) return;
  ++problems;
  printf("%s: an unknown field that is set gave %s: %s\n", what, nf_status_name(status), err->message);
}
#define WRITTEN(what, s) expect_zero(what, (s).grown)
#define SOIL(s) ((s).grown = 7)
#define ASK(what, s, call)            \
  do {                                \
    (s).grown = 7;                    \
    expect_refused(what, call, &err); \
    (s).grown = 0;                    \
  } while (0)
#else
#define WRITTEN(what, s) (void)(s)
#define SOIL(s) (void)(s)
#define ASK(what, s, call) (void)(s)
#endif

static void *take(void *user, size_t size, size_t align) {
  (void)user;
  return aligned_alloc(align, (size + align - 1) / align * align);
}
static void drop(void *user, void *p, size_t size, size_t align) {
  (void)user, (void)size, (void)align;
  free(p);
}
static void serial(void *user, uint32_t n, void (*body)(void *ctx, uint32_t i), void *ctx) {
  uint32_t i;
  (void)user;
  for (i = 0; i < n; ++i) body(ctx, i);
}
static int32_t sum(void *user, void *buf, size_t n, nf_dtype dtype) {
  (void)user, (void)buf, (void)n, (void)dtype;
  return 0;
}
static int32_t none(void *user, uint64_t step, nf_batch *batch) {
  (void)user, (void)step, (void)batch;
  return 0;
}

int main(int argc, char **argv) {
  const char *spec = "{\"event\": [2], \"layers\": [{\"type\": \"affine_coupling\"}]}";
  float data[8] = {0.5f, 1, -0.25f, 0.75f, 1.5f, -1, 0.125f, 2}, results[8];
  nf_error err = NF_ERROR_INIT;
  nf_allocator allocator = NF_ALLOCATOR_INIT;
  nf_executor executor = NF_EXECUTOR_INIT;
  nf_batch batch = NF_BATCH_INIT;
  nf_model_info model_info = NF_MODEL_INFO_INIT;
  nf_layer_info layer_info = NF_LAYER_INFO_INIT;
  nf_tensor_info tensor_info = NF_TENSOR_INFO_INIT;
  nf_sampling sampling = NF_SAMPLING_INIT;
  nf_step_info step_info = NF_STEP_INFO_INIT;
  nf_collective collective = NF_COLLECTIVE_INIT;
  nf_source source = NF_SOURCE_INIT;
  nf_target_info target_info = NF_TARGET_INFO_INIT;
  nf_importance_info importance_info = NF_IMPORTANCE_INFO_INIT;
  nf_score_info score_info = NF_SCORE_INFO_INIT;
  nf_coverage_info coverage_info = NF_COVERAGE_INFO_INIT;
  nf_metropolis_info metropolis_info = NF_METROPOLIS_INFO_INIT;
  nf_view x = nf_rows_f32(data, 4, 2), score = nf_vec_f32(data, 4), vector_view = nf_vec_f32(data, 4);
  nf_out out = nf_out_rows_f32(results, 4, 2), vector = nf_out_vec_f32(results, 4);
  nf_runtime *rt = NULL;
  nf_model *model = NULL;
  nf_session *session = NULL;
  nf_trainer *trainer = NULL;
  nf_target *target = NULL;
  if (argc != 2) return 2;
  mode = argv[1];

  /* An older nf_error is refused whatever the call; the other calls then go without one. */
  SOIL(err);
  if (nf_options_set_i64(NULL, "x", 1, &err) != NF_ERR_ARGUMENT) ++problems;
  if (strcmp(mode, "older") != 0) {
    if (err.code != NF_ERR_ARGUMENT) ++problems;
    WRITTEN("nf_error", err);
  }

  allocator.alloc = take;
  executor.concurrency = 2;
#ifndef NF_SHRUNK /* the last field of every struct is missing */
  allocator.free = drop;
  executor.parallel_for = serial;
#endif
  expect("nf_allocator", nf_runtime_create(NULL, &allocator, NULL, NULL, NULL, &rt, NULL), &err);
  ASK("nf_allocator", allocator, nf_runtime_create(NULL, &allocator, NULL, NULL, NULL, &rt, &err));
  nf_runtime_free(rt), rt = NULL;
  expect("nf_executor", nf_runtime_create(NULL, NULL, &executor, NULL, NULL, &rt, NULL), &err);
  ASK("nf_executor", executor, nf_runtime_create(NULL, NULL, &executor, NULL, NULL, &rt, &err));
  nf_runtime_free(rt), rt = NULL;

  if (nf_runtime_create(NULL, NULL, NULL, NULL, NULL, &rt, NULL) ||
      nf_model_create(rt, spec, NF_TEXT, 1, &model, NULL) || nf_session_create(model, NULL, &session, NULL) ||
      nf_trainer_create(model, NULL, NULL, &trainer, NULL) ||
      nf_target_create(rt, "banana", NF_TEXT, 2, &target, NULL)) {
    printf("no handles\n");
    return 1;
  }
  batch.x = &x;
  expect("nf_view", nf_log_prob(session, &x, NULL, &vector, NULL), &err);
  expect("nf_out", nf_forward(session, &x, NULL, &out, NULL, NULL), &err);
  ASK("nf_view", x, nf_log_prob(session, &x, NULL, &vector, &err));
  ASK("nf_out", out, nf_forward(session, &x, NULL, &out, NULL, &err));
  expect("nf_sampling", nf_sample(session, &sampling, NULL, &out, NULL, NULL), &err);
  ASK("nf_sampling", sampling, nf_sample(session, &sampling, NULL, &out, NULL, &err));
  SOIL(step_info);
  expect("nf_batch and nf_step_info", nf_train_step(trainer, &batch, &step_info, NULL), &err);
  WRITTEN("nf_step_info", step_info);
  ASK("nf_batch", batch, nf_train_step(trainer, &batch, NULL, &err));
#ifndef NF_SHRUNK
  source.next = none;
  collective.allreduce_sum = sum;
#endif
  expect("nf_source", nf_train_run(trainer, &source, 0, NULL, NULL, NULL), &err);
  ASK("nf_source", source, nf_train_run(trainer, &source, 0, NULL, NULL, &err));
  nf_trainer_free(trainer), trainer = NULL;
  collective.world = 1;
  expect("nf_collective", nf_trainer_create(model, NULL, &collective, &trainer, NULL), &err);
  nf_trainer_free(trainer), trainer = NULL;
  ASK("nf_collective", collective, nf_trainer_create(model, NULL, &collective, &trainer, &err));

  SOIL(model_info), SOIL(layer_info), SOIL(tensor_info), SOIL(target_info), SOIL(importance_info), SOIL(score_info),
      SOIL(coverage_info), SOIL(metropolis_info);
  expect("nf_model_info", nf_model_get_info(model, &model_info, NULL), &err);
  WRITTEN("nf_model_info", model_info);
  expect("nf_layer_info", nf_model_layer(model, 0, &layer_info, NULL), &err);
  WRITTEN("nf_layer_info", layer_info);
  expect("nf_tensor_info", nf_model_tensor(model, 0, &tensor_info, NULL), &err);
  WRITTEN("nf_tensor_info", tensor_info);
  expect("nf_target_info", nf_target_get_info(target, &target_info, NULL), &err);
  WRITTEN("nf_target_info", target_info);
  expect("nf_importance_info", nf_importance(session, target, 1, 0, 32, NULL, NULL, NULL, &importance_info, NULL),
         &err);
  WRITTEN("nf_importance_info", importance_info);
  expect("nf_score_info", nf_score_mean(&score, NULL, &score_info, NULL), &err);
  WRITTEN("nf_score_info", score_info);
  expect("nf_coverage_info", nf_importance_coverage(&vector_view, &vector_view, &coverage_info, NULL), &err);
  WRITTEN("nf_coverage_info", coverage_info);
  {
    const int64_t shape[3] = {2, 2, 2};
    nf_out chains = nf_out_array(NF_F32, results, 3, shape);
    expect("nf_metropolis_info", nf_metropolis(rt, target, NULL, NULL, NULL, NULL, &chains, &metropolis_info, NULL),
           &err);
    WRITTEN("nf_metropolis_info", metropolis_info);
  }
  if (strcmp(mode, "older") != 0) {
    if (model_info.event_size != 2 || strcmp(layer_info.type, "affine_coupling") != 0 || step_info.step != 1) {
      ++problems;
      printf("wrong numbers\n");
    }
  }
  nf_target_free(target);
  nf_session_free(session);
  nf_model_free(model);
  nf_runtime_free(rt);
  return problems ? 1 : 0;
}
