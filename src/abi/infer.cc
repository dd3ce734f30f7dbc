// Implements nf_importance, nf_posterior_importance and nf_metropolis: samples weighted by a target, and Markov chains on one.
#include "src/abi/guard.h"
#include "src/abi/options.h"
#include "src/abi/target.h"
#include "src/train/coverage.h"
#include "src/train/importance.h"
#include "src/train/pareto.h"

using namespace libnf;

namespace {

// Checks a model whose samples are weighed by the target.
void check_proposal(const nf_target* target, const Density& model) {
  need(target, "target");
  if (target->target->event != model.columns())
    fail(Code::shape, "the target has %lld column%s, but the model has %lld",
         static_cast<long long>(target->target->event), target->target->event == 1 ? "" : "s",
         static_cast<long long>(model.columns()));
  if (!model.exact())
    fail(Code::unsupported, "the density of this model's samples is not known: its log_prob is a bound%s",
         model.vae() ? "; nf_posterior_importance weighs draws of its posterior" : "");
}

// Checks the numbers of draws.
void check_draws(uint64_t first, int64_t n) {
  if (n < 1) fail(Code::argument, "n is %lld, expected at least 1", static_cast<long long>(n));
  if (first > static_cast<uint64_t>(INT64_MAX - n)) fail(Code::argument, "first_index + n is above 2^63 - 1");
}

void write_summary(const ImportanceSummary& r, nf_importance_info* info) {
  nf_importance_info out = NF_IMPORTANCE_INFO_INIT;
  const auto n = static_cast<double>(r.samples);
  out.samples = r.samples;
  out.log_z = r.log_z;
  out.log_z_error = r.log_z_error;
  out.ess = r.ess;
  out.ess_fraction = r.ess / n;
  out.reverse_kl = r.reverse_kl;
  out.reverse_kl_error = r.reverse_kl_error;
  out.largest_share = r.largest_share;
  out.pareto_k = r.pareto_k;
  out.pareto_k_limit = pareto_limit(n);
  out.smoothed_log_z = r.smoothed_log_z;
  out.smoothed_log_z_error = r.smoothed_log_z_error;
  out.smoothed_ess = r.smoothed_ess;
  write_struct(info, out);
}

// Requires a column [n], n >= 1.
void need_rows(const View& v, const char* name) {
  need_shape(v, name, {-1});
  if (v.shape[0] < 1) fail(Code::argument, "%s has 0 rows, expected at least 1", name);
}

}  // namespace

extern "C" {

nf_status nf_importance(nf_session* s, const nf_target* target, uint64_t seed, uint64_t first_index, int64_t n,
                        const nf_view* ctx, const nf_out* x, const nf_out* log_weight, nf_importance_info* info,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    check_proposal(target, model);
    check_draws(first_index, n);
    const View c = data_of(ctx, "ctx", true), xv = out_of(x, "x", true), w = out_of(log_weight, "log_weight", true);
    check_context(c, 1, model.context());
    if (x) check_rows(xv, "x", model.event(), n);
    if (log_weight) need_shape(w, "log_weight", {n});
    struct_size(info, "info");
    RuntimeState& rt = *s->model->runtime;
    const ImportanceSummary r =
        importance(rt.allocator(), *rt.executor, *s->session, model, *target->target, seed, first_index, n, c, xv, w);
    write_summary(r, info);
  });
}

nf_status nf_posterior_importance(nf_session* s, const nf_view* x, const nf_view* ctx, uint64_t seed,
                                  uint64_t first_index, int64_t n, const nf_out* z, const nf_out* log_weight,
                                  nf_importance_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(s, "session");
    const Density& model = *s->model->model;
    check_draws(first_index, n);
    const View xv = data_of(x, "x"), c = data_of(ctx, "ctx", true), zv = out_of(z, "z", true),
               w = out_of(log_weight, "log_weight", true);
    check_rows(xv, "x", model.event(), 1);
    check_context(c, 1, model.context());
    if (z) check_rows(zv, "z", model.latent(), n);
    if (log_weight) need_shape(w, "log_weight", {n});
    struct_size(info, "info");
    write_summary(posterior_importance(s->model->runtime->allocator(), *s->session, seed, first_index, n, xv, c, zv, w),
                  info);
  });
}

nf_status nf_importance_mean(const nf_view* log_weight, const nf_view* values, const nf_out* mean, const nf_out* error,
                             nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const View w = view_of(log_weight, "log_weight"), v = view_of(values, "values"), m = out_of(mean, "mean"),
               e = out_of(error, "error", true);
    need_shape(v, "values", {-1, -1});
    need_shape(w, "log_weight", {v.shape[0]});
    need_shape(m, "mean", {-1});
    if (m.shape[0] != v.shape[1])
      fail(Code::shape, "values has shape %s, but mean has %s", to_string(v.shape).c_str(), to_string(m.shape).c_str());
    if (error) need_shape(e, "error", {v.shape[1]});
    if (v.shape[0] < 1) fail(Code::argument, "values has 0 rows, expected at least 1");
    importance_mean(w, v, m, e);
  });
}

nf_status nf_importance_smooth(const nf_view* log_weight, const nf_out* smoothed, double* pareto_k,
                               nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const View w = view_of(log_weight, "log_weight"), s = out_of(smoothed, "smoothed", true);
    need_rows(w, "log_weight");
    if (smoothed) need_shape(s, "smoothed", {w.shape[0]});
    const double k = pareto_smooth(system_allocator(), w, s);
    if (pareto_k) *pareto_k = k;
  });
}

nf_status nf_importance_coverage(const nf_view* log_weight, const nf_view* target_log_weight, nf_coverage_info* info,
                                 nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const View w = view_of(log_weight, "log_weight"), t = view_of(target_log_weight, "target_log_weight");
    need_rows(w, "log_weight");
    need_rows(t, "target_log_weight");
    struct_size(info, "info");
    const CoverageSummary r = coverage(w, t);
    nf_coverage_info out = NF_COVERAGE_INFO_INIT;
    out.samples = r.samples;
    out.target_samples = r.target_samples;
    out.log_z = r.log_z;
    out.log_z_error = r.log_z_error;
    out.deviation = r.deviation;
    out.forward_kl = r.forward_kl;
    out.forward_kl_error = r.forward_kl_error;
    out.outside = r.outside;
    out.outside_p = r.outside_p;
    write_struct(info, out);
  });
}

nf_status nf_metropolis(nf_runtime* rt, const nf_target* target, nf_session* proposal, const nf_options* options,
                        const nf_view* start, const nf_view* ctx, const nf_out* out, nf_metropolis_info* info,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(target, "target");
    if (proposal) check_proposal(target, *proposal->model->model);
    const int64_t d = target->target->event;
    const View s = view_of(start, "start", true), c = data_of(ctx, "ctx", true), o = out_of(out, "out");
    need_shape(o, "out", {-1, -1, d});
    if (start) need_shape(s, "start", {o.shape[1], d});
    check_context(c, 1, proposal ? proposal->model->model->context() : 0);
    if (info) struct_size(info, "info");
    check_scopes(options, {"metropolis"}, "nf_metropolis");
    const std::shared_ptr<RuntimeState> runtime = rt ? rt->state : target->runtime;
    const MetropolisSummary r =
        metropolis(runtime->allocator(), *target->target, proposal ? proposal->session.get() : nullptr,
                   metropolis_options(options), s, c, o);
    if (!info) return;
    nf_metropolis_info summary = NF_METROPOLIS_INFO_INIT;
    summary.steps = r.steps;
    summary.acceptance = r.acceptance;
    write_struct(info, summary);
  });
}

}  // extern "C"
