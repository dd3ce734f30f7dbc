/* Using libnf from C: trains a RealNVP on a banana, saves and loads it, scores and samples. Needs only nf.h, -lnf, -lm.
 *   cc -O2 -Iinclude examples/c/train.c -Lbuild/src -lnf -lm -Wl,-rpath,$PWD/build/src -o build/train_c
 *   build/train_c build/banana.safetensors
 */
#include <math.h>
#include <nf/nf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN = 4096, TEST = 1024, BATCH = 256, STEPS = 300 };

static const char spec[] =
    "{\"event\": [2], \"layers\": [{\"repeat\": 4, \"layers\": ["
    "{\"type\": \"affine_coupling\", \"hidden\": [32, 32]}, {\"type\": \"reverse\"}]}]}";

/* Every call takes the caller's nf_error last. This program uses a single one and exits on errors. */
static nf_error error = NF_ERROR_INIT;
static void check(nf_status status) {
  if (status == NF_OK) return;
  printf("%s: %s\n", nf_status_name(status), error.message);
  exit(2);
}

/* Makes a view of row-major float32: [rows] or [rows, 2]. */
static nf_view view(float *data, int32_t ndim, int64_t rows) {
  nf_view v = NF_VIEW_INIT;
  v.ndim = ndim, v.shape[0] = rows, v.shape[1] = 2, v.data = data;
  return v;
}

/* y = x^2 / 2 plus noise, which a Gaussian cannot fit. */
static void banana(float *rows, int n) {
  int i;
  for (i = 0; i < n; ++i) {
    const double u = (rand() + 1.0) / (RAND_MAX + 2.0), v = rand() / (RAND_MAX + 1.0), r = sqrt(-2 * log(u));
    const double x = r * cos(6.283185307 * v);
    rows[2 * i] = (float)x;
    rows[2 * i + 1] = (float)(0.5 * x * x + 0.3 * r * sin(6.283185307 * v));
  }
}

/* Scores the test rows. A session is scratch memory; use one per thread. */
static double score(nf_model *m, float *rows, float *out) {
  const nf_view x = view(rows, 2, TEST), log_prob = view(out, 1, TEST);
  nf_session *s = NULL;
  double sum = 0;
  int i;
  check(nf_session_create(m, NULL, &s, &error));
  check(nf_log_prob(s, &x, NULL, &log_prob, &error));
  nf_session_free(s);
  for (i = 0; i < TEST; ++i) sum += out[i];
  return sum / TEST;
}

static void sample(nf_session *s, uint64_t first, int64_t n, float *out) {
  const nf_view v = view(out, 2, n);
  check(nf_sample(s, /*seed=*/5, first, NULL, &v, NULL, &error));
}

int main(int argc, char **argv) {
  static float train[TRAIN * 2], test[TEST * 2], scores[TEST], again[TEST], all[200], parts[200];
  const char *path = argc > 1 ? argv[1] : "/tmp/banana.safetensors";
  nf_options *options = NULL;
  nf_runtime *rt = NULL;
  nf_model *model = NULL, *loaded = NULL;
  nf_trainer *trainer = NULL;
  nf_session *session = NULL;
  double before, after;
  int step;

  banana(train, TRAIN);
  banana(test, TEST);
  check(nf_runtime_create(NULL, NULL, NULL, NULL, NULL, &rt, &error));
  check(nf_model_create(rt, spec, strlen(spec), /*seed=*/1, &model, &error));
  before = score(model, test, scores);

  check(nf_options_create(&options, &error));
  check(nf_options_set_f64(options, "lr", 2e-3, &error));
  check(nf_trainer_create(model, options, NULL, &trainer, &error));
  for (step = 0; step < STEPS; ++step) { /* the host owns the loop */
    const nf_view x = view(train + step % (TRAIN / BATCH) * BATCH * 2, 2, BATCH);
    nf_step_info info = NF_STEP_INFO_INIT;
    check(nf_train_step(trainer, &x, NULL, NULL, &info, &error));
    if (info.step % 100 == 0) printf("step %d  loss %.3f\n", (int)info.step, info.loss);
  }
  after = score(model, test, scores);
  printf("mean log-likelihood of test rows: %.3f before, %.3f after\n", before, after);

  check(nf_model_save(model, path, &error));
  check(nf_model_load(rt, path, NULL, &loaded, &error));
  score(loaded, test, again);
  check(nf_session_create(loaded, NULL, &session, &error));
  sample(session, 0, 100, all); /* samples are numbered, so splitting a run gives the same rows */
  sample(session, 0, 40, parts);
  sample(session, 40, 60, parts + 80);

  nf_runtime_free(rt); /* in any order: handles keep alive what they were created from */
  nf_model_free(loaded);
  nf_model_free(model);
  nf_trainer_free(trainer);
  nf_session_free(session);
  nf_options_free(options);

  if (!(after > before + 0.1)) return puts("training did not improve the model"), 1;
  if (memcmp(scores, again, sizeof scores) != 0) return puts("the loaded model scores differently"), 1;
  if (memcmp(all, parts, sizeof all) != 0) return puts("samples depend on the split"), 1;
  return 0;
}
