/* Using libnf from C: trains a RealNVP on a banana, saves and loads it, scores and samples. Needs only nf.h, -lnf, -lm.
 *   cc -O2 -Iinclude examples/c/train.c -Lbuild/src -lnf -lm -Wl,-rpath,$PWD/build/src -o build/train_c
 *   build/train_c build/banana.safetensors
 */
#include <math.h>
#include <nf/nf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN = 4096, TEST = 1024 };

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

static double mean(const float *v, int n) {
  double sum = 0;
  int i;
  for (i = 0; i < n; ++i) sum += v[i];
  return sum / n;
}

int main(int argc, char **argv) {
  static float train[TRAIN * 2], test[TEST * 2], scores[TEST], again[TEST], all[200], parts[120];
  const char *path = argc > 1 ? argv[1] : "/tmp/banana.safetensors";
  const nf_view rows = nf_rows_f32(train, TRAIN, 2), held_out = nf_rows_f32(test, TEST, 2);
  const nf_out score = nf_out_vec_f32(scores, TEST), rescored = nf_out_vec_f32(again, TEST);
  const nf_out hundred = nf_out_rows_f32(all, 100, 2), rest = nf_out_rows_f32(parts, 60, 2);
  nf_batch batch = NF_BATCH_INIT;
  nf_sampling how = NF_SAMPLING_INIT;
  nf_options *options = NULL;
  nf_model *model = NULL, *loaded = NULL;
  nf_session *session = NULL;
  double before, after;

  banana(train, TRAIN);
  banana(test, TEST);
  batch.x = &rows;
  check(nf_model_create(NULL, spec, NF_TEXT, /*seed=*/1, &model, &error));
  check(nf_score(model, &held_out, NULL, &score, &error));
  before = mean(scores, TEST);

  check(nf_options_create(&options, &error));
  check(nf_options_set_f64(options, "trainer.lr", 2e-3, &error));
  check(nf_options_set_i64(options, "fit.steps", 300, &error));
  check(nf_fit(model, &batch, NULL, options, NULL, NULL, NULL, &error)); /* holds out a tenth, keeps the best weights */
  check(nf_score(model, &held_out, NULL, &score, &error));
  after = mean(scores, TEST);
  printf("mean log-likelihood of test rows: %.3f before, %.3f after\n", before, after);

  check(nf_model_save(model, path, &error));
  check(nf_model_load(NULL, path, NULL, &loaded, &error));
  check(nf_score(loaded, &held_out, NULL, &rescored, &error));
  check(nf_draw(loaded, /*seed=*/5, NULL, &hundred, &error));
  check(nf_session_create(loaded, NULL, &session, &error)); /* to sample or score again and again: one per thread */
  how.seed = 5, how.first_index = 40; /* samples are numbered, so splitting a run gives the same rows */
  check(nf_sample(session, &how, NULL, &rest, NULL, &error));

  nf_model_free(loaded); /* in any order: handles keep alive what they were created from */
  nf_model_free(model);
  nf_session_free(session);
  nf_options_free(options);

  if (!(after > before + 0.1)) return puts("training did not improve the model"), 1;
  if (memcmp(scores, again, sizeof scores) != 0) return puts("the loaded model scores differently"), 1;
  if (memcmp(all + 80, parts, sizeof parts) != 0) return puts("samples depend on the split"), 1;
  return 0;
}
