// Derivatives by rows and contexts. A block of rows is recorded on the worker's tape with leaves for x and the context;
// parameters have no gradient. Forward mode goes layer by layer.
#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/restore.h"
#include "src/model/flow_model.h"
#include "src/model/session_blocks.h"
#include "src/model/support.h"

namespace libnf {
namespace {

// Records from now on, and differentiates through the rounding of dequantization.
class Recording {
 public:
  Recording(Tape& t, bool on) : recording_(t.recording), rounding_(t.through_rounding) {
    t.recording = on;
    t.through_rounding = true;
  }

 private:
  Restore<bool> recording_, rounding_;
};

// A context as a leaf. One that needs a gradient has a row of its own for every row of the block.
Var leaf(const Density& model, Tape& t, const View& context, int64_t first, int64_t rows, bool needs_grad) {
  Var v = needs_grad ? model.load_context(t, context, first, rows) : context_rows(model, t, context, first, rows);
  if (v) v->needs_grad = needs_grad;
  return v;
}

Var load_given(Tape& t, const View& from, int64_t first, int64_t rows) {
  return from.data ? load_rows(t, from, first, rows) : nullptr;
}

// Begins the gradient of v with these numbers, or with ones.
void seed(Tape& t, Var v, Var with) {
  if (!v || !v->needs_grad) return;
  v = conform(t, v, Layout::contiguous);
  with_dtype(t.dtype(), [&]<class T>() {
    T* g = t.grad(*v).template as<T>();
    const int64_t n = v->out.count();
    with ? kernel::accumulate<T>(with->out.as<T>(), g, n) : kernel::fill<T>(1, g, n);
  });
}

// v + 0: scoring begins its sums at 0, so -0 never comes out of it.
Var above_minus_zero(Tape& t, Var v, int64_t rows) {
  Var sum = t.zeros({rows});
  if (v) with_dtype(t.dtype(), [&]<class T>() { kernel::accumulate<T>(v->out.as<T>(), sum->out.as<T>(), rows); });
  return sum;
}

// The gradient of a leaf that needs one.
View slope(Tape& t, Var v) { return v && v->needs_grad ? t.grad_out(*v) : View{}; }

// Writes a gradient, zeros where none arrived.
void store(Tape& t, const View& g, const View& to, int64_t first, int64_t rows) {
  if (!to.data || rows == 0) return;
  const View part = rows_of_view(to, first, rows);
  if (part.count() == 0) return;
  copy_rows(g.data ? g : t.zeros({rows, part.count() / rows})->out, part);
}

}  // namespace

void Session::need_gradients() {
  const ParamStore& params = model_.params();
  if (!gradients_) {
    Buffer mirror(allocator_, static_cast<size_t>(checked_mul(params.mirror_size(), size_of(params.dtype()))),
                  "transposed matrices");
    std::swap(mirror, mirror_);
    try {
      make_workers(measure(true));
    } catch (...) {
      std::swap(mirror, mirror_);
      throw;
    }
    gradients_ = true;
  }
  const uint64_t now = generation_ ? generation_->load(std::memory_order_relaxed) + 1 : 0;
  if (now && mirrored_ == now) return;
  for (size_t i = 0; i < params.slots().size(); ++i) params.refresh_mirror(i, mirror_.data());
  mirrored_ = now;
}

void Session::measure_gradients(const Scope& s) const {
  Tape& t = s.tape;
  const int64_t n = gradient_rows_, columns = model_.columns(), context = model_.context();
  double zero;
  const auto run = [&](bool inverse, auto&& body) {
    for (const int64_t contexts : {n, int64_t{1}}) {
      const TapeScope scope(t);
      const Recording recording(t, true);
      const auto rows = [&](int64_t count, int64_t cols) { return cols ? t.zeros({count, cols}) : nullptr; };
      Var x = inverse ? rows(n, columns) : model_.load_x(t, zeros_of(&zero, {n, columns}), 0, n);
      Var c = measured_context(t, contexts);
      x->needs_grad = true;
      if (c) c->needs_grad = contexts == n;
      body(x, c, rows);
      t.zeros({n, std::max(columns, context)});
      t.zeros({n});
      locate_nonfinite(s, inverse, x, c, 0);
      if (!c) return;
    }
  };
  run(false, [&](Var x, Var c, auto&&) {
    Slopes slopes;
    score_slopes(s, x, c, &slopes);
  });
  for (const bool inverse : {false, true}) {
    run(inverse, [&](Var x, Var c, auto&& rows) { pull(s, inverse, x, c, rows(n, columns), t.zeros({n})); });
    run(inverse, [&](Var x, Var, auto&& rows) {
      try {
        push(s, inverse, x, rows(n, context), rows(n, columns), rows(n, context));
      } catch (const Error& e) {  // the call goes as far, and fails in the same way
        if (e.code() != Code::unsupported) throw;
      }
    });
  }
}

Var Session::score_slopes(const Scope& s, Var x, Var context, Slopes* out) const {
  Tape& t = s.tape;
  uint64_t* keys = key_rows(t, x, context);
  // Gradients of one draw by these leaves.
  const auto one = [&](Var rows, Var c) {
    Var lp = model_.log_prob(s, rows, c, memory_);
    seed(t, lp, nullptr);
    t.backward();
    settle_density_zero(s, model_, rows, c, lp);
    return lp;
  };
  if (!keys || options_.samples == 1) {
    Var lp = one(x, context);
    *out = {slope(t, x), slope(t, context)};
    return lp;
  }
  // The gradient of log mean_k exp(lp_k) is the mean of the gradients of lp_k, weighted by exp(lp_k).
  const int64_t n = x->out.shape[0];
  auto* draws = t.scratch<LogMeanExp>(n);
  std::fill_n(draws, n, LogMeanExp());
  auto* factors = t.scratch<LogMeanExp::Factors>(n);
  Var mean = t.empty({n});
  struct Sum {
    Var leaf;
    double* sum;
  };
  Sum sums[2] = {};
  for (int i = 0; i < 2; ++i) {
    Var v = i == 0 ? x : context;
    if (!v || !v->needs_grad) continue;
    sums[i] = {v, t.scratch<double>(v->out.count())};
    std::fill_n(sums[i].sum, v->out.count(), 0.0);
  }
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t k = 0; k < options_.samples; ++k) {
      const TapeScope scope(t);
      t.random.stream = 0;
      Var c = context ? t.leaf_of(*context, context->needs_grad) : nullptr;
      const Var now[2] = {t.leaf_of(*x, x->needs_grad), c};
      const T* lp = one(now[0], c)->out.template as<T>();
      for (int64_t r = 0; r < n; ++r) {
        keys[r] += kNextDraw;
        factors[r] = draws[r].add(static_cast<double>(lp[r]));
      }
      for (int i = 0; i < 2; ++i) {
        if (!sums[i].leaf) continue;
        const View g = slope(t, now[i]);
        const int64_t cols = now[i]->out.shape[1];
        for (int64_t r = 0; r < n; ++r) {
          const auto [before, weight] = factors[r];
          double* sum = sums[i].sum + r * cols;
          for (int64_t j = 0; j < cols; ++j) {
            const double add = weight == 0 || !g.data ? 0 : weight * static_cast<double>(g.as<T>()[r * cols + j]);
            sum[j] = (before == 0 ? 0 : sum[j] * before) + add;  // what has no weight may be NaN
          }
        }
      }
    }
    for (int64_t r = 0; r < n; ++r) mean->out.as<T>()[r] = static_cast<T>(draws[r].mean(options_.samples));
    for (int i = 0; i < 2; ++i) {
      if (!sums[i].leaf) continue;
      Var g = t.empty(sums[i].leaf->out.shape);
      const int64_t cols = g->out.shape[1];
      for (int64_t k = 0; k < n * cols; ++k) g->out.as<T>()[k] = static_cast<T>(sums[i].sum[k] / draws[k / cols].sum);
      (i == 0 ? out->x : out->context) = g->out;
    }
  });
  return mean;
}

Mapped Session::pull(const Scope& s, bool inverse, Var from, Var context, Var cot_to, Var cot_log_det) const {
  const FlowModel& model = *model_.flow();
  if (!inverse) key_rows(s.tape, from, context);
  const Mapped m = inverse ? model.inverse(s, from, context, memory_) : model.forward(s, from, context, memory_);
  if (cot_to) seed(s.tape, m.y, cot_to);
  if (cot_log_det) seed(s.tape, m.log_det, cot_log_det);
  s.tape.backward();
  return m;
}

Chain::Pushed Session::push(const Scope& s, bool inverse, Var from, Var context, Var tan_from, Var tan_context) const {
  const FlowModel& model = *model_.flow();
  if (!inverse) key_rows(s.tape, from, context);
  Var c = model.layer_context(s, context, from->out.shape[0]);
  Var dc = tan_context ? libnf::jvp(s.tape, c, context, tan_context) : nullptr;
  if (dc) dc = conform(s.tape, dc, Layout::contiguous);
  return model.chain().push(s, inverse, from, tan_from, c, dc);
}

void Session::check_slopes(const Slopes& slopes, int64_t first) const {
  if (options_.nonfinite == NonFinite::propagate) return;
  for (const View* g : {&slopes.x, &slopes.context}) {
    if (!g->data) continue;
    with_dtype(model_.dtype(), [&]<class T>() {
      const auto m = matrix_of<T>(*g);
      const int64_t r = kernel::first_nonfinite_row<T>(m.p, m.ld, m.rows, m.cols);
      if (r >= 0)
        fail_at(Code::numeric, {first + r, -1}, "the derivative of row %lld is not finite, or what it is multiplied by",
                static_cast<long long>(first + r));
    });
  }
}

void Session::log_prob_grad(const View& x, const View& context, const View& log_prob, const View& dx,
                            const View& d_context) {
  const Entry entry(busy_);
  flow("gradient");
  need_gradients();
  for_blocks(x.shape[0], gradient_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Tape& t = w.tape;
    Var xv = model_.load_x(t, x, first, rows);
    xv->needs_grad = dx.data != nullptr;
    Var cv = leaf(model_, t, context, first, rows, d_context.data != nullptr);
    Slopes slopes;
    Var lp;
    {
      const Recording recording(t, dx.data || d_context.data);
      lp = score_slopes({t, w.params.data()}, xv, cv, &slopes);
    }
    check(w, false, xv, cv, lp, first);
    check_slopes(slopes, first);
    lp = above_minus_zero(t, lp, rows);
    if (log_prob.data) store_rows(lp, log_prob, first);
    store(t, slopes.x, dx, first, rows);
    store(t, slopes.context, d_context, first, rows);
  });
}

void Session::vjp(bool inverse, const View& from, const View& context, const Pullback& p) {
  const Entry entry(busy_);
  flow("gradient");
  need_gradients();
  for_blocks(from.shape[0], gradient_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Tape& t = w.tape;
    Var xv = load_from(t, inverse, from, first, rows);
    xv->needs_grad = p.d_from.data != nullptr;
    Var cv = leaf(model_, t, context, first, rows, p.d_context.data != nullptr);
    Var cot_to = load_given(t, p.cot_to, first, rows), cot_log_det = load_given(t, p.cot_log_det, first, rows);
    Mapped m;
    {
      const Recording recording(t, p.d_from.data || p.d_context.data);
      m = pull(scope(w, p.to), inverse, xv, cv, cot_to, cot_log_det);
    }
    m.log_det = above_minus_zero(t, m.log_det, rows);
    const Slopes slopes{slope(t, xv), slope(t, cv)};
    check(w, inverse, xv, cv, m.y, first);
    check(w, inverse, xv, cv, m.log_det, first);
    check_slopes(slopes, first);
    if (p.to.data) store_rows(m.y, p.to, first);
    if (p.log_det.data) store_rows(m.log_det, p.log_det, first);
    store(t, slopes.x, p.d_from, first, rows);
    store(t, slopes.context, p.d_context, first, rows);
  });
}

void Session::jvp(bool inverse, const View& from, const View& context, const Pushforward& p) {
  const Entry entry(busy_);
  flow("tangent");
  need_gradients();
  for_blocks(from.shape[0], gradient_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Tape& t = w.tape;
    Var xv = load_from(t, inverse, from, first, rows);
    Var cv = p.tan_context.data ? model_.load_context(t, context, first, rows)
                                : context_rows(model_, t, context, first, rows);
    Var dx = load_given(t, p.tan_from, first, rows), dc = load_given(t, p.tan_context, first, rows);
    Chain::Pushed m;
    {
      const Recording recording(t, true);
      m = push(scope(w, p.to), inverse, xv, cv, dx, dc);
    }
    check(w, inverse, xv, cv, m.value.y, first);
    check(w, inverse, xv, cv, m.value.log_det, first);
    check_slopes({m.tangent.y->out, m.tangent.log_det->out}, first);
    if (p.to.data) store_rows(m.value.y, p.to, first);
    if (p.log_det.data) store_rows(m.value.log_det, p.log_det, first);
    if (p.tan_to.data) store_rows(m.tangent.y, p.tan_to, first);
    if (p.tan_log_det.data) store_rows(m.tangent.log_det, p.tan_log_det, first);
  });
}

}  // namespace libnf
