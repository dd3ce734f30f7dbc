// Derivatives of a session's maps by rows and contexts.
#include "src/abi/guard.h"
#include "src/abi/handles.h"

using namespace libnf;

namespace {

// The two sides of a map in one direction.
struct Sides {
  const Dims &from, &to;
};
Sides sides_of(const Density& model, bool inverse) {
  if (inverse) return {model.latent(), model.event()};
  return {model.event(), model.latent()};
}

View rows_like(const nf_view* v, const char* name, const Dims& event, int64_t n) {
  const View x = view_of(v, name, true);
  if (v) check_rows(x, name, event, n);
  return x;
}
View rows_like(const nf_out* v, const char* name, const Dims& event, int64_t n) {
  const View x = out_of(v, name, true);
  if (v) check_rows(x, name, event, n);
  return x;
}
View column_like(const nf_out* v, const char* name, int64_t n) {
  const View x = out_of(v, name, true);
  if (v) need_shape(x, name, {n});
  return x;
}
// A gradient by the context, one row for every row of the batch.
View context_gradient(const nf_out* v, const char* name, int64_t n, int64_t columns) {
  const View x = out_of(v, name, true);
  if (!v) return x;
  if (!columns) fail(Code::shape, "%s is given, but the model has no context: pass NULL", name);
  need_shape(x, name, {n, columns});
  return x;
}

}  // namespace

extern "C" {

nf_status nf_log_prob_grad(nf_session* s, const nf_view* x, const nf_view* ctx, const nf_out* log_prob,
                           const nf_out* dx, const nf_out* dctx, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const View xv = data_of(x, "x"), c = data_of(ctx, "ctx", true);
    const int64_t n = check_rows(xv, "x", model.event());
    check_context(c, n, model.context());
    const View lp = column_like(log_prob, "log_prob", n), g = rows_like(dx, "dx", model.event(), n),
               gc = context_gradient(dctx, "dctx", n, model.context());
    s->session->log_prob_grad(xv, c, lp, g, gc);
  });
}

nf_status nf_vjp(nf_session* s, nf_direction direction, const nf_view* from, const nf_view* ctx, const nf_view* cot_to,
                 const nf_view* cot_log_det, const nf_out* to, const nf_out* log_det, const nf_out* d_from,
                 const nf_out* d_ctx, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const bool inverse = is_inverse(direction);
    const Sides side = sides_of(model, inverse);
    const View x = inverse ? view_of(from, "from") : data_of(from, "from"), c = data_of(ctx, "ctx", true);
    const int64_t n = check_rows(x, "from", side.from);
    check_context(c, n, model.context());
    Session::Pullback p;
    p.cot_to = rows_like(cot_to, "cot_to", side.to, n);
    p.cot_log_det = view_of(cot_log_det, "cot_log_det", true);
    if (cot_log_det) need_shape(p.cot_log_det, "cot_log_det", {n});
    p.to = rows_like(to, "to", side.to, n);
    p.log_det = column_like(log_det, "log_det", n);
    p.d_from = rows_like(d_from, "d_from", side.from, n);
    p.d_context = context_gradient(d_ctx, "d_ctx", n, model.context());
    s->session->vjp(inverse, x, c, p);
  });
}

nf_status nf_jvp(nf_session* s, nf_direction direction, const nf_view* from, const nf_view* ctx,
                 const nf_view* tan_from, const nf_view* tan_ctx, const nf_out* to, const nf_out* log_det,
                 const nf_out* tan_to, const nf_out* tan_log_det, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    const bool inverse = is_inverse(direction);
    const Sides side = sides_of(model, inverse);
    const View x = inverse ? view_of(from, "from") : data_of(from, "from"), c = data_of(ctx, "ctx", true);
    const int64_t n = check_rows(x, "from", side.from);
    check_context(c, n, model.context());
    Session::Pushforward p;
    p.tan_from = rows_like(tan_from, "tan_from", side.from, n);
    p.tan_context = view_of(tan_ctx, "tan_ctx", true);
    if (tan_ctx) {
      if (!model.context()) fail(Code::shape, "tan_ctx is given, but the model has no context: pass NULL");
      need_shape(p.tan_context, "tan_ctx", {-1, model.context()});
      if (const int64_t rows = p.tan_context.shape[0]; rows != 1 && rows != n)
        fail(Code::shape, "tan_ctx has %lld rows, expected 1 or %lld", static_cast<long long>(rows),
             static_cast<long long>(n));
    }
    p.to = rows_like(to, "to", side.to, n);
    p.log_det = column_like(log_det, "log_det", n);
    p.tan_to = rows_like(tan_to, "tan_to", side.to, n);
    p.tan_log_det = column_like(tan_log_det, "tan_log_det", n);
    s->session->jvp(inverse, x, c, p);
  });
}

}  // extern "C"
