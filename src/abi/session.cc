// Implements nf_session: scoring, mapping and sampling.
#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/abi/sampling.h"

using namespace libnf;

namespace {

nf_status map_rows(nf_session* s, const nf_view* from, const nf_view* ctx, const nf_out* to, const nf_out* log_det,
                   nf_error* err, bool inverse) noexcept {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const char* in = inverse ? "z" : "x";
    const char* out = inverse ? "x" : "z";
    const View x = inverse ? view_of(from, in) : data_of(from, in), c = data_of(ctx, "ctx", true), y = out_of(to, out),
               l = out_of(log_det, "log_det", true);
    const int64_t n = check_rows(x, in, inverse ? model.latent() : model.event());
    check_context(c, n, model.context());
    check_rows(y, out, inverse ? model.event() : model.latent(), n);
    if (log_det) need_shape(l, "log_det", {n});
    s->session->map(inverse, x, c, y, l);
  });
}

}  // namespace

namespace libnf {

Session::Sampling sampling_of(const nf_sampling* how) {
  if (!how) return {};
  const nf_sampling h = read_struct(how, "how");
  if (h.reserved) fail(Code::argument, "how.reserved is %u, expected 0", h.reserved);
  if (h.repeat < 0) fail(Code::argument, "how.repeat is %lld, expected at least 0", static_cast<long long>(h.repeat));
  if (!(h.temperature >= 0 && h.temperature <= 1e6))
    fail(Code::argument, "how.temperature is %g, expected a number in [0, 1e6], where 0 stands for 1", h.temperature);
  return {h.seed, h.first_index, h.repeat > 1 ? h.repeat : 1, h.temperature == 0 ? 1 : h.temperature};
}

void check_sampling(const Session::Sampling& how, const char* name, int64_t n, const View& context,
                    const Density& model) {
  if (n % how.repeat != 0)
    fail(Code::shape, "%s has %lld row%s, expected a multiple of how.repeat = %lld", name, static_cast<long long>(n),
         n == 1 ? "" : "s", static_cast<long long>(how.repeat));
  check_context(context, n / how.repeat, model.context());
  if (how.first > static_cast<uint64_t>(INT64_MAX - n)) fail(Code::argument, "first_index + n is above 2^63 - 1");
}

}  // namespace libnf

extern "C" {

nf_status nf_session_create(const nf_model* m, const nf_options* options, nf_session** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(m, "model");
    need(out, "out");
    check_scopes(options, {"session"}, "nf_session_create");
    RuntimeState& rt = *m->state->runtime;
    auto session = std::make_unique<Session>(rt.allocator(), *rt.executor, *m->state->model, session_options(options),
                                             &m->state->generation);
    *out = new nf_session{m->state, std::move(session)};
  });
}

size_t nf_session_bytes(const nf_session* s) NF_NOEXCEPT { return s ? s->session->bytes() : 0; }

nf_status nf_log_prob(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_out* log_prob,
                      nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View xv = data_of(x, "x"), c = data_of(ctx, "ctx", true), out = out_of(log_prob, "log_prob");
    const int64_t n = check_rows(xv, "x", model.event());
    check_context(c, n, model.context());
    need_shape(out, "log_prob", {n});
    s->session->log_prob(xv, c, out);
  });
}

nf_status nf_log_prob_row(nf_session* s, const double* x, const double* ctx, double* log_prob,
                          nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    need(x, "x");
    need(log_prob, "log_prob");
    const Density& model = *s->model->model;
    const int64_t columns = model.context();
    if (!ctx && columns) fail(Code::argument, "ctx is NULL, but the model needs a context");
    if (ctx && !columns) fail(Code::shape, "ctx is given, but the model has no context: pass NULL");
    const auto row = [](const double* p, int64_t n) {
      View v;
      v.data = const_cast<double*>(p);
      v.dtype = DType::f64;
      v.shape = {1, n};
      v.stride[0] = n;
      v.stride[1] = 1;
      return v;
    };
    View out = row(log_prob, 1);
    out.shape = {1};
    s->session->log_prob(row(x, model.columns()), ctx ? row(ctx, columns) : View{}, out);
  });
}

nf_status nf_forward(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_out* z, const nf_out* log_det,
                     nf_error* err) NF_NOEXCEPT {
  return map_rows(s, x, ctx, z, log_det, err, false);
}

nf_status nf_inverse(nf_session* s, const nf_view* z, const nf_view* ctx, const nf_out* x, const nf_out* log_det,
                     nf_error* err) NF_NOEXCEPT {
  return map_rows(s, z, ctx, x, log_det, err, true);
}

nf_status nf_trace(nf_session* s, nf_direction direction, const nf_view* from, const nf_view* ctx, const nf_out* out,
                   const nf_out* log_det, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const bool inverse = is_inverse(direction);
    const View x = inverse ? view_of(from, "from") : data_of(from, "from"), c = data_of(ctx, "ctx", true);
    const Planes states = planes_of(out, "out");
    const Planes dets = log_det ? planes_of(log_det, "log_det") : Planes{};
    const int64_t n = check_rows(x, "from", inverse ? model.latent() : model.event());
    const auto layers = static_cast<int64_t>(model.layers().size());
    check_context(c, n, model.context());
    if (states.count != layers + 1)
      fail(Code::shape, "out has %lld planes, expected %lld: one more than there are layers",
           static_cast<long long>(states.count), static_cast<long long>(layers + 1));
    check_rows(states.first, "out[0]", model.event(), n);
    if (log_det) {
      if (dets.count != layers)
        fail(Code::shape, "log_det has %lld planes, expected %lld, one for each layer",
             static_cast<long long>(dets.count), static_cast<long long>(layers));
      if (layers > 0) need_shape(dets.first, "log_det[0]", {n});
    }
    const auto state = [&](size_t k) { return states[static_cast<int64_t>(k)]; };
    const auto det = [&](size_t k) { return dets[static_cast<int64_t>(k) - 1]; };
    s->session->trace(inverse, x, c, std::ref(state), log_det ? Session::Plane(std::ref(det)) : Session::Plane());
  });
}

nf_status nf_sample(nf_session* s, const nf_sampling* how, const nf_view* ctx, const nf_out* out,
                    const nf_out* log_prob, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const Session::Sampling h = sampling_of(how);
    const View c = data_of(ctx, "ctx", true), x = out_of(out, "out"), lp = out_of(log_prob, "log_prob", true);
    const int64_t n = check_rows(x, "out", model.event());
    check_sampling(h, "out", n, c, model);
    if (log_prob) need_shape(lp, "log_prob", {n});
    s->session->sample(h, c, x, lp);
  });
}

void nf_session_free(nf_session* s) NF_NOEXCEPT { delete s; }

}  // extern "C"
