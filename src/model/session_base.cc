// The part of a session that works on latents: the base distribution.
#include "runtime/core/rows.h"
#include "runtime/kernel/reduce.h"
#include "src/model/flow_model.h"
#include "src/model/session_blocks.h"
#include "src/model/support.h"
#include "src/model/vae_model.h"

namespace libnf {

void Session::check_base(Worker& w, Var z, Var context, Var result, int64_t first) const {
  if (options_.nonfinite == NonFinite::propagate) return;
  with_dtype(w.tape.dtype(), [&]<class T>() {
    const auto m = matrix_of<T>(result->out);
    const int64_t r = kernel::first_nonfinite_row<T>(m.p, m.ld, m.rows, m.cols);
    if (r < 0) return;
    const auto one = [&](Var v) { return v ? load_row(w.tape, *v, r) : nullptr; };
    const std::string where =
        model_.flow() ? model_.flow()->first_nonfinite_in_base({w.tape, w.params.data()}, one(z), one(context)).where
                      : "spec.prior";
    fail_at(Code::numeric, {first + r, -1}, "row %lld is not finite; first at %s", static_cast<long long>(first + r),
            where.c_str());
  });
}

void Session::measure_base(const Scope& s, int64_t rows, Var z, Var context) const {
  const FlowModel* flow = model_.flow();
  if (!flow) return;
  const int64_t n = checked_mul(rows, flow->latent().count());
  double* u = s.tape.scratch<double>(n);
  std::fill_n(u, n, 0.5);
  flow->base_quantile(s, u, rows, context);
  flow->base_log_prob(s, z, context);
  const auto one = [&](Var v) { return v ? load_row(s.tape, *v, 0) : nullptr; };
  flow->first_nonfinite_in_base(s, one(z), one(context));
}

void Session::base_log_prob(const View& z, const View& context, const View& out) {
  const Entry entry(busy_);
  const VaeModel* const vae = model_.vae();
  const FlowModel* const model = vae ? nullptr : &flow("base");
  for_blocks(z.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Var zv = load_rows(w.tape, z, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    const Scope s{w.tape, w.params.data()};
    Var lp = vae ? vae->log_prior(s, zv, cv) : model->base_log_prob(s, zv, cv);
    settle_density_zero(s, model_, zv, cv, lp);
    check_base(w, zv, cv, lp, first);
    store_rows(lp, out, first);
  });
}

void Session::base_sample(const Sampling& how, const View& context, const View& z) {
  const Entry entry(busy_);
  const VaeModel* const vae = model_.vae();
  const FlowModel* const model = vae ? nullptr : &flow("base");
  for_blocks(z.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    w.tape.random.seed = how.seed;
    w.tape.random.first_row = static_cast<int64_t>(how.first) + first;
    Var cv = repeated_rows(model_, w.tape, context, first, rows, how.repeat);
    const Scope s{w.tape, w.params.data()};
    Var drawn =
        vae ? vae->sample_prior(s, rows, cv, how.temperature) : model->base_sample(s, rows, cv, how.temperature);
    check_base(w, nullptr, cv, drawn, first);
    store_rows(drawn, z, first);
  });
}

void Session::base_quantile(const View& u, const View& context, const View& z) {
  const Entry entry(busy_);
  const FlowModel& model = flow("base");
  const int64_t n = u.shape[0], columns = model.latent().count(), block = block_rows_;
  const auto load = [&](Tape& t, int64_t first, int64_t rows) {
    double* v = t.scratch<double>(checked_mul(rows, columns));
    copy_rows(rows_of_view(u, first, rows), contiguous_view(v, DType::f64, {rows, columns}));
    return v;
  };
  for (int64_t first = 0; first < n; first += block) {
    Tape& t = workers_[0]->tape;
    const TapeScope scope(t);
    const int64_t rows = std::min(block, n - first);
    const double* v = load(t, first, rows);
    for (int64_t k = 0; k < rows * columns; ++k)
      if (!(v[k] > 0 && v[k] < 1))
        fail_at(Code::argument, {first + k / columns, -1},
                "u is %g in row %lld, column %lld, expected a number in (0, 1)", v[k],
                static_cast<long long>(first + k / columns), static_cast<long long>(k % columns));
  }
  for_blocks(n, block, [&](Worker& w, int64_t first, int64_t rows) {
    const double* v = load(w.tape, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    Var zv = model.base_quantile({w.tape, w.params.data()}, v, rows, cv);
    check_base(w, nullptr, cv, zv, first);
    store_rows(zv, z, first);
  });
}

}  // namespace libnf
