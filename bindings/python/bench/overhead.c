/* Times one-row nf_log_prob calls from C. Compiled and loaded by overhead.py. */
#include <nf/nf.h>
#include <time.h>

/* Nanoseconds per call, the smallest of `repeats` means over `calls` calls; -1 if a call fails. */
double one_row(nf_session *s, const float *x, int64_t columns, int calls, int repeats) {
  double best = 1e30;
  int r, i;
  for (r = 0; r < repeats; ++r) {
    struct timespec a, b;
    double ns;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (i = 0; i < calls; ++i) {
      float value;
      const nf_view rows = nf_rows_f32(x, 1, columns);
      const nf_out out = nf_out_vec_f32(&value, 1);
      nf_error err = NF_ERROR_INIT;
      if (nf_log_prob(s, &rows, NULL, &out, &err)) return -1;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / calls;
    if (ns < best) best = ns;
  }
  return best;
}
