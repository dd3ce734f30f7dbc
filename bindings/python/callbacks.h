int32_t libnf_on_write(void *user, const void *bytes, size_t n);
int32_t libnf_on_target(void *user, const nf_view *x, const nf_view *ctx, const nf_out *log_density, const nf_out *gradient);
int32_t libnf_on_next(void *user, uint64_t step, nf_batch *batch);
int32_t libnf_on_step(void *user, const nf_step_info *info);
int32_t libnf_on_fit(void *user, const nf_fit_info *info);
int32_t libnf_on_allreduce(void *user, void *buf, size_t n, nf_dtype dtype);
void libnf_on_log(void *user, int32_t level, const char *utf8);
