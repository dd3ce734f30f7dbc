// Implements nf_session: scoring, mapping and sampling.
#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"

using namespace nf;

namespace {

nf_status map_rows(nf_session* s, const nf_view* from, const nf_view* ctx, const nf_view* to, const nf_view* log_det,
                   nf_error* err, bool inverse) noexcept {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const char* in = inverse ? "z" : "x";
    const char* out = inverse ? "x" : "z";
    const Dims& data = model.event();
    const Dims& latent = model.latent();
    const View x = view_of(from, in), c = view_of(ctx, "ctx", true), y = view_of(to, out),
               l = view_of(log_det, "log_det", true);
    const int64_t n = check_rows(x, in, inverse ? latent : data);
    check_context(c, n, model.context());
    check_rows(y, out, inverse ? data : latent, n);
    if (log_det) need_shape(l, "log_det", {n});
    s->session->map(inverse, x, c, y, l);
  });
}

}  // namespace

extern "C" {

nf_status nf_session_create(nf_model* m, const nf_options* options, nf_session** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(out, "out");
    RuntimeState& rt = *m->state->runtime;
    auto session = std::make_unique<Session>(rt.allocator(), *rt.executor, *m->state->model, session_options(options));
    *out = new nf_session{m->state, std::move(session)};
  });
}

size_t nf_session_bytes(const nf_session* s) NF_NOEXCEPT { return s ? s->session->bytes() : 0; }

nf_status nf_log_prob(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_view* log_prob,
                      nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View xv = view_of(x, "x"), c = view_of(ctx, "ctx", true), out = view_of(log_prob, "log_prob");
    const int64_t n = check_rows(xv, "x", model.event());
    check_context(c, n, model.context());
    need_shape(out, "log_prob", {n});
    s->session->log_prob(xv, c, out);
  });
}

nf_status nf_forward(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_view* z, const nf_view* log_det,
                     nf_error* err) NF_NOEXCEPT {
  return map_rows(s, x, ctx, z, log_det, err, false);
}

nf_status nf_inverse(nf_session* s, const nf_view* z, const nf_view* ctx, const nf_view* x, const nf_view* log_det,
                     nf_error* err) NF_NOEXCEPT {
  return map_rows(s, z, ctx, x, log_det, err, true);
}

nf_status nf_trace(nf_session* s, const nf_view* from, const nf_view* ctx, int32_t inverse, const nf_view* out,
                   nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View x = view_of(from, "from"), c = view_of(ctx, "ctx", true), y = view_of(out, "out");
    if (inverse != 0 && inverse != 1) fail(Code::argument, "inverse is %d, expected 0 or 1", inverse);
    const int64_t n = check_rows(x, "from", inverse ? model.latent() : model.event());
    check_context(c, n, model.context());
    need_shape(y, "out", {static_cast<int64_t>(model.layers().size()) + 1, n, model.columns()});
    s->session->trace(inverse == 1, x, c, y);
  });
}

nf_status nf_sample(nf_session* s, uint64_t seed, uint64_t first_index, const nf_view* ctx, const nf_view* out,
                    const nf_view* log_prob, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View c = view_of(ctx, "ctx", true), x = view_of(out, "out"), lp = view_of(log_prob, "log_prob", true);
    const int64_t n = check_rows(x, "out", model.event());
    check_context(c, n, model.context());
    if (log_prob) need_shape(lp, "log_prob", {n});
    if (first_index > static_cast<uint64_t>(INT64_MAX - n)) fail(Code::argument, "first_index + n is above 2^63 - 1");
    s->session->sample(seed, first_index, c, x, lp);
  });
}

void nf_session_free(nf_session* s) NF_NOEXCEPT { delete s; }

}  // extern "C"
