// Implements nf_encode, nf_posterior_trace and nf_decode.
#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/model/vae_model.h"

using namespace libnf;

namespace {

// The rows of a call, checked. Returns their number.
int64_t check(const Density& model, const View& rows, const char* name, const Dims& event, const View& context) {
  const int64_t n = check_rows(rows, name, event);
  check_context(context, n, model.context());
  return n;
}

}  // namespace

extern "C" {

nf_status nf_encode(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_out* mean, const nf_out* log_var,
                    const nf_out* z, const nf_out* log_q, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View xv = data_of(x, "x"), c = data_of(ctx, "ctx", true);
    Session::Encoding out;
    out.mean = out_of(mean, "mean", true);
    out.log_var = out_of(log_var, "log_var", true);
    out.z = out_of(z, "z", true);
    out.log_q = out_of(log_q, "log_q", true);
    const int64_t n = check(model, xv, "x", model.event(), c);
    if (mean) check_rows(out.mean, "mean", model.latent(), n);
    if (log_var) check_rows(out.log_var, "log_var", model.latent(), n);
    if (z) check_rows(out.z, "z", model.latent(), n);
    if (log_q) need_shape(out.log_q, "log_q", {n});
    s->session->encode(xv, c, out);
  });
}

nf_status nf_posterior_trace(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_out* out,
                             const nf_out* log_det, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View xv = data_of(x, "x"), c = data_of(ctx, "ctx", true);
    const Planes states = planes_of(out, "out");
    const Planes dets = log_det ? planes_of(log_det, "log_det") : Planes{};
    const int64_t n = check(model, xv, "x", model.event(), c);
    const auto layers = static_cast<int64_t>(model.vae() ? model.vae()->posterior().layers().size() : 0);
    if (states.count != layers + 1)
      fail(Code::shape, "out has %lld planes, expected %lld: one more than the posterior has layers",
           static_cast<long long>(states.count), static_cast<long long>(layers + 1));
    check_rows(states.first, "out[0]", model.latent(), n);
    if (log_det) {
      if (dets.count != layers)
        fail(Code::shape, "log_det has %lld planes, expected %lld, one for each layer of the posterior",
             static_cast<long long>(dets.count), static_cast<long long>(layers));
      if (layers > 0) need_shape(dets.first, "log_det[0]", {n});
    }
    const auto state = [&](size_t k) { return states[static_cast<int64_t>(k)]; };
    const auto det = [&](size_t k) { return dets[static_cast<int64_t>(k) - 1]; };
    s->session->posterior_trace(xv, c, std::ref(state), log_det ? Session::Plane(std::ref(det)) : Session::Plane());
  });
}

nf_status nf_decode(nf_session* s, const nf_view* z, const nf_view* ctx, const nf_out* x, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View zv = view_of(z, "z"), c = data_of(ctx, "ctx", true), out = out_of(x, "x");
    const int64_t n = check(model, zv, "z", model.latent(), c);
    check_rows(out, "x", model.event(), n);
    s->session->decode(zv, c, out);
  });
}

}  // extern "C"
