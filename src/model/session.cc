#include "src/model/session.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/rows.h"
#include "runtime/kernel/reduce.h"
#include "src/model/flow_model.h"
#include "src/model/rows.h"
#include "src/model/session_blocks.h"
#include "src/model/support.h"

namespace libnf {

Session::Worker::Worker(const Allocator& allocator, const Density& model, size_t arena_bytes, void* mirror)
    : tape(allocator, model.dtype(), arena_bytes), params(model.params().slots().size()) {
  tape.recording = false;
  model.params().bind(params.data(), nullptr, mirror);
}

Session::Session(const Allocator& allocator, Executor& executor, const Density& model, const SessionOptions& options,
                 const std::atomic<uint64_t>* generation)
    : allocator_(allocator),
      executor_(executor),
      model_(model),
      options_(options),
      generation_(generation),
      block_rows_(options.block_rows ? std::min(options.block_rows, model.block_rows()) : model.block_rows()),
      gradient_rows_(gradient_rows(block_rows_, model.cost())),
      memory_(gradients_recompute(model.cost()) ? Memory::recompute : Memory::full) {
  if (options.gradients && model.flow())
    need_gradients();
  else
    make_workers(measure(false));
}

void Session::make_workers(size_t arena_bytes) {
  const uint32_t all = executor_.concurrency();
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint32_t i = 0; i < (options_.threads ? std::min(options_.threads, all) : all); ++i)
    workers.push_back(std::make_unique<Worker>(allocator_, model_, arena_bytes, mirror_.data()));
  workers_.swap(workers);
}

Session::Entry::Entry(std::atomic<bool>& busy) : busy_(busy) {
  if (busy.exchange(true, std::memory_order_acquire))
    fail(Code::state, "session in use by another thread; create one per thread");
}

// Returns the memory that the most demanding call needs for a full block.
size_t Session::measure(bool gradients) {
  Tape t(allocator_, model_.dtype());
  t.recording = false;
  t.measuring = true;
  std::vector<Node> params(model_.params().slots().size());
  model_.params().bind(params.data(), nullptr, mirror_.data());
  Scope s{t, params.data()};
  s.wide = model_.uses_low();
  const int64_t n = block_rows_;
  double zero;
  const View zeros = zeros_of(&zero, {n, model_.columns()});
  const auto run = [&](bool inverse, auto&& body) {
    for (const int64_t contexts : {n, int64_t{1}}) {
      const TapeScope scope(t);
      Var x = inverse ? t.zeros({n, model_.latent().count()}) : model_.load_x(t, zeros, 0, n);
      Var c = measured_context(t, contexts);
      body(x, c);
      locate_nonfinite(s, inverse, x, c, 0);
      if (!c) return;
    }
  };
  run(false, [&](Var x, Var c) { score(s, x, c); });
  if (const FlowModel* flow = model_.flow()) run(true, [&](Var x, Var c) { flow->inverse(s, x, c); });
  run(false, [&](Var x, Var c) { measure_latents(s, x, t.zeros({n, model_.latent().count()}), c); });
  run(true, [&](Var x, Var c) {
    draw(s, n, c, true, model_.flow() ? 2 : 1);
    measure_base(s, n, x, c);
  });
  if (gradients) measure_gradients(s);
  return t.arena().high_water();
}

// Takes the memory that any context of so many rows takes.
Var Session::measured_context(Tape& t, int64_t rows) const {
  if (!model_.context()) return nullptr;
  double zero;
  const View zeros = zeros_of(&zero, {std::max<int64_t>(rows, 2), model_.context()});
  return rows == 1 ? context_rows(model_, t, rows_of_view(zeros, 0, 1), 0, 1)
                   : repeated_rows(model_, t, zeros, 0, rows, 2);
}

size_t Session::bytes() const {
  size_t n = mirror_.bytes();
  for (const auto& w : workers_) n += w->tape.arena().capacity();
  return n;
}

Density::Location Session::locate_nonfinite(const Scope& s, bool inverse, Var from, Var context, int64_t row) const {
  Var x = load_row(s.tape, *from, row), c = context ? load_row(s.tape, *context, row) : nullptr;
  if (!inverse) key_rows(s.tape, x, c);
  return model_.first_nonfinite(s, x, c, inverse);
}

void Session::check(Worker& w, bool inverse, Var from, Var context, Var result, int64_t first) {
  if (options_.nonfinite == NonFinite::propagate) return;
  with_dtype(w.tape.dtype(), [&]<class T>() {
    const auto m = matrix_of<T>(result->out);
    const int64_t r = kernel::first_nonfinite_row<T>(m.p, m.ld, m.rows, m.cols);
    if (r < 0) return;
    const Density::Location at = locate_nonfinite({w.tape, w.params.data()}, inverse, from, context, r);
    fail_at(Code::numeric, {first + r, at.layer}, "%s", Density::describe_nonfinite(first + r, at.where).c_str());
  });
}

uint64_t* Session::key_rows(Tape& t, Var x, Var context) const {
  return model_.exact() ? nullptr : draw_by_content(t, x, context, options_.seed);
}

Var Session::score(const Scope& s, Var x, Var context) const {
  Tape& t = s.tape;
  uint64_t* keys = key_rows(t, x, context);
  Var once = model_.prepared(s, x, context);
  const auto one = [&] {
    Var lp = once ? model_.log_prob_of(s, x, context, once) : model_.log_prob(s, x, context);
    settle_density_zero(s, model_, x, context, lp);
    return lp;
  };
  if (!keys || options_.samples == 1) return one();
  const int64_t n = x->out.shape[0];
  auto* draws = t.scratch<LogMeanExp>(n);
  std::fill_n(draws, n, LogMeanExp());
  Var mean = t.empty({n});
  const int64_t samples = t.measuring ? 1 : options_.samples;  // all take the same memory
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t k = 0; k < samples; ++k) {
      const TapeScope scope(t);
      t.random.stream = 0;
      const T* lp = one()->out.template as<T>();
      for (int64_t r = 0; r < n; ++r) {
        keys[r] += kNextDraw;
        draws[r].add(static_cast<double>(lp[r]));
      }
    }
    for (int64_t r = 0; r < n; ++r) mean->out.as<T>()[r] = static_cast<T>(draws[r].mean(options_.samples));
  });
  return mean;
}

Density::Sampled Session::draw(const Scope& s, int64_t rows, Var context, bool with_log_prob,
                               double temperature) const {
  Density::Sampled drawn = model_.sample(s, rows, context, with_log_prob && model_.exact(), Memory::full, temperature);
  if (with_log_prob && !model_.exact()) drawn.log_prob = score(s, drawn.x, context);
  return drawn;
}

const FlowModel& Session::flow(const char* what) const {
  if (const FlowModel* flow = model_.flow()) return *flow;
  fail(Code::unsupported, "the model has no %s: it is not a chain of layers between data and latents%s", what,
       model_.vae() ? "; for a variational autoencoder there are nf_encode and nf_decode" : "");
}

void Session::log_prob(const View& x, const View& context, const View& out) {
  const Entry entry(busy_);
  for_blocks(x.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Var xv = model_.load_x(w.tape, x, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    Var lp = score({w.tape, w.params.data()}, xv, cv);
    check(w, false, xv, cv, lp, first);
    store_rows(lp, out, first);
  });
}

void Session::map(bool inverse, const View& from, const View& context, const View& to, const View& log_det) {
  const Entry entry(busy_);
  const FlowModel& model = flow(inverse ? "inverse" : "forward");
  for_blocks(from.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    const Scope s = scope(w, to);
    Var xv = load_from(w.tape, inverse, from, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    if (!inverse) key_rows(w.tape, xv, cv);
    const Mapped m = inverse ? model.inverse(s, xv, cv) : model.forward(s, xv, cv);
    check(w, inverse, xv, cv, m.y, first);
    check(w, inverse, xv, cv, m.log_det, first);
    store_rows(m.y, to, first);
    if (log_det.data) store_rows(m.log_det, log_det, first);
  });
}

void Session::trace(bool inverse, const View& from, const View& context, const Plane& out, const Plane& log_det) {
  const Entry entry(busy_);
  const FlowModel& model = flow("trace");
  for_blocks(from.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    Var xv = load_from(w.tape, inverse, from, first, rows);
    Var cv = context_rows(model_, w.tape, context, first, rows);
    store_rows(xv, out(0), first);
    const auto keep = [&](size_t k, Var y, Var det) {
      store_rows(y, out(k), first);
      if (log_det) store_rows(det ? det : w.tape.zeros({rows}), log_det(k), first);
    };
    if (!inverse) key_rows(w.tape, xv, cv);
    // Passed by reference, so that std::function does not allocate.
    const Mapped m = model.trace(scope(w, out(0)), xv, cv, inverse, std::ref(keep));
    check(w, inverse, xv, cv, m.y, first);
    check(w, inverse, xv, cv, m.log_det, first);
  });
}

void Session::sample(const Sampling& how, const View& context, const View& out, const View& log_prob) {
  const Entry entry(busy_);
  for_blocks(out.shape[0], block_rows_, [&](Worker& w, int64_t first, int64_t rows) {
    w.tape.random.seed = how.seed;
    w.tape.random.first_row = static_cast<int64_t>(how.first) + first;
    Var cv = repeated_rows(model_, w.tape, context, first, rows, how.repeat);
    const auto drawn = draw(scope(w, out), rows, cv, log_prob.data != nullptr, how.temperature);
    check(w, true, drawn.z, cv, drawn.x, first);
    store_rows(drawn.x, out, first);
    if (log_prob.data) store_rows(drawn.log_prob, log_prob, first);
  });
}

}  // namespace libnf
