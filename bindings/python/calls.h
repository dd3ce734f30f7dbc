/* Compiled into the extension: what would be slow piece by piece from Python. */
/* cdef */
void libnf_view(nf_view *v, int32_t dtype, int32_t ndim, void *data, int64_t n0, int64_t n1, int64_t n2, int64_t n3);
nf_status libnf_log_prob(nf_session *s, int32_t dtype, const void *x, int64_t n, int64_t columns, int32_t out_dtype,
                         void *out, nf_error *err);
/* end */

/* Describes row-major memory of rank 0 to 4. nf_out has the same layout. */
void libnf_view(nf_view *v, int32_t dtype, int32_t ndim, void *data, int64_t n0, int64_t n1, int64_t n2, int64_t n3) {
  v->struct_size = (uint32_t)sizeof(nf_view);
  v->dtype = dtype;
  v->ndim = ndim;
  v->flags = 0;
  v->data = data;
  v->shape[0] = n0;
  v->shape[1] = n1;
  v->shape[2] = n2;
  v->shape[3] = n3;
}

/* log_prob [n] of rows x [n, columns] without a context: the call with the least overhead. */
nf_status libnf_log_prob(nf_session *s, int32_t dtype, const void *x, int64_t n, int64_t columns, int32_t out_dtype,
                         void *out, nf_error *err) {
  const nf_view rows = nf_rows(dtype, x, n, columns);
  const nf_out result = nf_out_array(out_dtype, out, 1, &n);
  return nf_log_prob(s, &rows, NULL, &result, err);
}
