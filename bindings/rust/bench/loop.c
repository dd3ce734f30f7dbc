/* The loops of main.rs in C. */
#include <nf/nf.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of n calls of nf_log_prob on one row, or -1. */
double loop_log_prob(nf_session *s, const float *x, float *out, int64_t n) {
  const double start = now();
  int64_t i;
  for (i = 0; i < n; ++i) {
    const nf_view v = nf_rows_f32(x, 1, 2);
    const nf_out o = nf_out_vec_f32(out, 1);
    nf_error err = NF_ERROR_INIT;
    if (nf_log_prob(s, &v, NULL, &o, &err)) return -1;
  }
  return now() - start;
}

/* Seconds of n calls of nf_log_prob_row, or -1. */
double loop_log_prob_row(nf_session *s, const double *x, double *out, int64_t n) {
  const double start = now();
  int64_t i;
  for (i = 0; i < n; ++i) {
    nf_error err = NF_ERROR_INIT;
    if (nf_log_prob_row(s, x, NULL, out, &err)) return -1;
  }
  return now() - start;
}
