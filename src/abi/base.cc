// Implements the base distribution's part of nf_session.
#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/sampling.h"

using namespace libnf;

extern "C" {

nf_status nf_base_log_prob(nf_session* s, const nf_view* z, const nf_view* ctx, const nf_out* log_prob,
                           nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View zv = view_of(z, "z"), c = data_of(ctx, "ctx", true), out = out_of(log_prob, "log_prob");
    const int64_t n = check_rows(zv, "z", model.latent());
    check_context(c, n, model.context());
    need_shape(out, "log_prob", {n});
    s->session->base_log_prob(zv, c, out);
  });
}

nf_status nf_base_sample(nf_session* s, const nf_sampling* how, const nf_view* ctx, const nf_out* z,
                         nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const Session::Sampling h = sampling_of(how);
    const View c = data_of(ctx, "ctx", true), out = out_of(z, "z");
    const int64_t n = check_rows(out, "z", model.latent());
    check_sampling(h, "z", n, c, model);
    s->session->base_sample(h, c, out);
  });
}

nf_status nf_base_quantile(nf_session* s, const nf_view* u, const nf_view* ctx, const nf_out* z,
                           nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View uv = view_of(u, "u"), c = data_of(ctx, "ctx", true), out = out_of(z, "z");
    const int64_t n = check_rows(uv, "u", model.latent());
    check_context(c, n, model.context());
    check_rows(out, "z", model.latent(), n);
    s->session->base_quantile(uv, c, out);
  });
}

}  // extern "C"
