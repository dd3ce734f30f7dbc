// The part of a session that works on the latents of a variational autoencoder.
#include "runtime/op/ops.h"
#include "runtime/op/repeat_rows.h"
#include "src/model/model.h"
#include "src/model/session_blocks.h"
#include "src/model/vae_model.h"

namespace libnf {

const VaeModel& Session::vae(const char* what) const {
  if (const VaeModel* vae = model_.vae()) return *vae;
  fail(Code::unsupported, "the model has no %s: it is of kind \"%s\", not \"vae\"", what, model_.spec().kind->name);
}

void Session::measure_latents(const Scope& s, Var x, Var z, Var context) const {
  const VaeModel* vae = model_.vae();
  if (!vae) return;
  {
    const TapeScope scope(s.tape);
    trace_posterior(s, x, context, [](size_t, Var, Var) {});
  }
  {
    const TapeScope scope(s.tape);
    Var c = context && context->out.shape[0] > 1 ? load_row(s.tape, *context, 0) : context;
    weigh_posterior(s, load_row(s.tape, *x, 0), c, x->out.shape[0]);
  }
  const TapeScope scope(s.tape);
  vae->log_prior(s, z, context);
  vae->likelihood().mean(s, vae->decode(s, z, context));
}

// The first draw of the rows, on its way through the posterior's layers.
void Session::trace_posterior(const Scope& s, Var x, Var context, const Chain::After& after) const {
  key_rows(s.tape, x, context);
  const VaeModel& model = *model_.vae();
  const VaeModel::Encoded e = model.encode(s, x, context);
  Var z_0 = model.start(s, e);
  after(0, z_0, nullptr);
  model.posterior().trace(s, false, z_0, e.context, after);
}

void Session::encode(const View& x, const View& context, const Encoding& out) {
  const Entry entry(busy_);
  const VaeModel& model = vae("encoder");
  for_blocks(x.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Tape& t = w.tape;
    const Scope s{t, w.params.data()};
    Var xv = model_.load_x(t, x, first, rows);
    Var cv = context_rows(model_, t, context, first, rows);
    key_rows(t, xv, cv);
    const VaeModel::Encoded e = model.encode(s, xv, cv);
    check(w, false, xv, cv, e.mean, first);
    if (out.mean.data) store_rows(e.mean, out.mean, first);
    if (out.log_var.data) store_rows(scale(t, e.log_scale, 2), out.log_var, first);
    if (!out.z.data && !out.log_q.data) return;
    const VaeModel::Drawn d = model.draw(s, e);
    check(w, false, xv, cv, d.z, first);
    if (out.z.data) store_rows(d.z, out.z, first);
    if (out.log_q.data) store_rows(d.log_q, out.log_q, first);
  });
}

// The encoder runs for one row, everything else for `rows` draws.
Session::Weighed Session::weigh_posterior(const Scope& s, Var x, Var context, int64_t rows) const {
  Tape& t = s.tape;
  const VaeModel& model = *model_.vae();
  const auto repeated = [&](Var v) { return v ? repeat_rows(t, contiguous(t, v), rows) : nullptr; };
  const VaeModel::Encoded one = model.encode(s, x, context);
  const VaeModel::Encoded e = {repeated(one.mean), repeated(one.log_scale), repeated(one.context)};
  const VaeModel::Drawn d = model.draw(s, e);
  return {d.z, model.log_weight(s, repeated(x), context, d)};
}

void Session::sample_posterior(const Sampling& how, const View& x, const View& context, const View& z,
                               const View& log_weight) {
  const Entry entry(busy_);
  vae("posterior");
  for_blocks(log_weight.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    w.tape.random.seed = how.seed;
    w.tape.random.first_row = static_cast<int64_t>(how.first) + first;
    Var xv = model_.load_x(w.tape, x, 0, 1);
    Var cv = context_rows(model_, w.tape, context, 0, 1);
    const Weighed drawn = weigh_posterior({w.tape, w.params.data()}, xv, cv, rows);
    if (z.data) store_rows(drawn.z, z, first);
    store_rows(drawn.log_weight, log_weight, first);
  });
}

void Session::posterior_trace(const View& x, const View& context, const Plane& out, const Plane& log_det) {
  const Entry entry(busy_);
  vae("posterior");
  for_blocks(x.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Var xv = model_.load_x(w.tape, x, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    const auto keep = [&](size_t k, Var z, Var det) {
      check(w, false, xv, cv, z, first);
      store_rows(z, out(k), first);
      if (log_det && k > 0) store_rows(det ? det : w.tape.zeros({rows}), log_det(k), first);
    };
    trace_posterior({w.tape, w.params.data()}, xv, cv, std::ref(keep));
  });
}

void Session::decode(const View& z, const View& context, const View& out) {
  const Entry entry(busy_);
  const VaeModel& model = vae("decoder");
  for_blocks(z.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    const Scope s{w.tape, w.params.data()};
    Var zv = load_rows(w.tape, z, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    Var x = model.likelihood().mean(s, model.decode(s, zv, cv));
    check(w, true, zv, cv, x, first);
    store_rows(x, out, first);
  });
}

}  // namespace libnf
