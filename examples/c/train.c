/* Using libnf from C: trains a RealNVP on a banana, saves and loads it, scores and samples. Needs only nf.h, -lnf, -lm.
 *   cc -O2 -Iinclude examples/c/train.c -Lbuild/src -lnf -lm -Wl,-rpath,$PWD/build/src -o build/train_c
 *   build/train_c build/banana.safetensors */
#include <math.h>
#include <nf/nf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN = 4096, TEST = 1024, DRAWS = 100 };

static const char spec[] =
    "{\"event\": 2, \"layers\": [{\"repeat\": 4, \"layers\": ["
    "{\"type\": \"affine_coupling\"}, {\"type\": \"reverse\"}]}]}";

/* Every call takes the caller's nf_error last. This program uses a single one and exits on errors. */
static nf_error error = NF_ERROR_INIT;
static void check(nf_status status) {
  if (status == NF_OK) return;
  printf("%s: %s\n", nf_status_name(status), error.message);
  exit(2);
}

/* y = x^2 / 2 plus noise, which a Gaussian cannot fit. */
static void banana(float *rows, int n) {
  for (int i = 0; i < n; ++i) {
    const double u = (rand() + 1.0) / (RAND_MAX + 2.0), v = rand() / (RAND_MAX + 1.0), r = sqrt(-2 * log(u));
    const double x = r * cos(6.283185307 * v);
    rows[2 * i] = (float)x;
    rows[2 * i + 1] = (float)(0.5 * x * x + 0.3 * r * sin(6.283185307 * v));
  }
}

/* Scores n rows of two columns and returns the mean log-likelihood. */
static double score(const nf_model *model, const float *rows, float *scores, int n) {
  const nf_view x = nf_rows_f32(rows, n, 2);
  const nf_out out = nf_out_vec_f32(scores, n);
  double sum = 0;
  check(nf_score(model, &x, NULL, &out, &error));
  for (int i = 0; i < n; ++i) sum += scores[i];
  return sum / n;
}

int main(int argc, char **argv) {
  static float train[TRAIN * 2], test[TEST * 2], scores[TEST], again[TEST], drawn[DRAWS * 2], drawn_scores[DRAWS];
  const char *path = argc > 1 ? argv[1] : "/tmp/banana.safetensors";
  const nf_view rows = nf_rows_f32(train, TRAIN, 2);
  const nf_out draws = nf_out_rows_f32(drawn, DRAWS, 2);
  nf_batch batch = NF_BATCH_INIT;
  nf_model *model = NULL, *loaded = NULL;

  banana(train, TRAIN);
  banana(test, TEST);
  batch.x = &rows;
  check(nf_model_create(NULL, spec, NF_TEXT, /*seed=*/1, &model, &error));
  const double before = score(model, test, scores, TEST);
  check(nf_fit(model, &batch, NULL, NULL, NULL, NULL, NULL, &error)); /* holds out a tenth, keeps the best weights */
  const double after = score(model, test, scores, TEST);
  check(nf_model_save(model, path, &error));
  check(nf_model_load(NULL, path, NULL, &loaded, &error));
  score(loaded, test, again, TEST);
  check(nf_draw(loaded, /*seed=*/5, NULL, &draws, &error));
  printf("mean log-likelihood of test rows: %.3f before, %.3f after; of samples: %.3f\n", before, after,
         score(loaded, drawn, drawn_scores, DRAWS));
  nf_model_free(loaded);
  nf_model_free(model);

  if (!(after > before + 0.1)) return puts("training did not improve the model"), 1;
  if (memcmp(scores, again, sizeof scores) != 0) return puts("the loaded model scores differently"), 1;
  return 0;
}
