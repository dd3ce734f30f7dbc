#include "src/model/session.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "runtime/core/rows.h"
#include "runtime/kernel/reduce.h"
#include "src/model/flow_model.h"
#include "src/model/rows.h"

namespace nf {
namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Keeps a single shared context as one row, so that the embedding runs once instead of once per data row.
Var context_rows(Tape& t, const View& context, int64_t first, int64_t rows) {
  if (!context.data) return nullptr;
  return context.shape[0] == 1 ? load_rows(t, context, 0, 1) : load_rows(t, context, first, rows);
}
}  // namespace

Session::Worker::Worker(const Allocator& allocator, const Density& model, size_t arena_bytes)
    : tape(allocator, model.dtype(), arena_bytes), params(model.params().slots().size()) {
  tape.recording = false;
  model.params().bind(params.data(), nullptr, nullptr);
}

Session::Session(const Allocator& allocator, Executor& executor, const Density& model, const SessionOptions& options)
    : executor_(executor), model_(model), options_(options) {
  const size_t bytes = measure(allocator);
  for (uint32_t i = 0; i < executor.concurrency(); ++i)
    workers_.push_back(std::make_unique<Worker>(allocator, model, bytes));
}

Session::Entry::Entry(std::atomic<bool>& busy) : busy_(busy) {
  if (busy.exchange(true, std::memory_order_acquire))
    fail(Code::state, "session in use by another thread; create one per thread");
}

// Returns the memory that the most demanding call needs for a full block.
size_t Session::measure(const Allocator& allocator) {
  Tape t(allocator, model_.dtype());
  t.recording = false;
  t.measuring = true;
  std::vector<Node> params(model_.params().slots().size());
  model_.params().bind(params.data(), nullptr, nullptr);
  const Scope s{t, params.data()};
  const int64_t n = model_.block_rows();
  const auto run = [&](bool inverse, auto&& body) {
    for (const int64_t contexts : {n, int64_t{1}}) {
      const TapeScope scope(t);
      Var x = t.zeros({n, model_.columns()});
      Var c = model_.context() ? t.zeros({contexts, model_.context()}) : nullptr;
      body(x, c);
      first_nonfinite(s, inverse, x, c, 0);
      if (!c) return;
    }
  };
  run(false, [&](Var x, Var c) { score(s, x, c); });
  if (const FlowModel* flow = model_.flow()) run(true, [&](Var x, Var c) { flow->inverse(s, x, c); });
  run(true, [&](Var, Var c) { draw(s, n, c, true); });
  return t.arena().high_water();
}

size_t Session::bytes() const {
  size_t n = 0;
  for (const auto& w : workers_) n += w->tape.arena().capacity();
  return n;
}

template <class Body>
void Session::for_blocks(int64_t n, const Body& body) {
  const int64_t block = scoring_rows(model_.cost(), model_.block_rows(), n, static_cast<int64_t>(workers_.size()));
  const int64_t blocks = (n + block - 1) / block;
  const auto one = [&](Worker& w, int64_t b) {
    const TapeScope scope(w.tape);
    w.tape.random = {};
    w.tape.random.first_row = b * block;
    body(w, b * block, std::min(block, n - b * block));
  };
  const auto threads = static_cast<uint32_t>(std::min<int64_t>(blocks, static_cast<int64_t>(workers_.size())));
  if (threads <= 1) {
    for (int64_t b = 0; b < blocks; ++b) one(*workers_[0], b);
    return;
  }
  std::atomic<int64_t> next{0};
  executor_.parallel_for(threads, [&](uint32_t i) {
    for (int64_t b; (b = next.fetch_add(1)) < blocks;) one(*workers_[i], b);
  });
}

std::string Session::first_nonfinite(const Scope& s, bool inverse, Var from, Var context, int64_t row) const {
  const auto one = [&](Var v) { return v ? load_rows(s.tape, v->out, row, 1) : nullptr; };
  Var x = one(from), c = one(context);
  if (!inverse) key_rows(s.tape, x, c);
  return model_.first_nonfinite(s, x, c, inverse);
}

void Session::check(Worker& w, bool inverse, Var from, Var context, Var result, int64_t first) {
  if (options_.nonfinite == NonFinite::propagate) return;
  with_dtype(w.tape.dtype(), [&]<class T>() {
    const auto m = matrix_of<T>(result->out);
    const int64_t r = kernel::first_nonfinite_row<T>(m.p, m.ld, m.rows, m.cols);
    if (r < 0) return;
    const std::string where = first_nonfinite({w.tape, w.params.data()}, inverse, from, context, r);
    fail(Code::numeric, "%s", Density::describe_nonfinite(first + r, where).c_str());
  });
}

uint64_t* Session::key_rows(Tape& t, Var x, Var context) const {
  return model_.exact() ? nullptr : draw_by_content(t, x, context, options_.seed);
}

Var Session::score(const Scope& s, Var x, Var context) const {
  constexpr uint64_t kNextDraw = 0x9e3779b97f4a7c15;  // odd, so the keys of a row's draws are all different
  Tape& t = s.tape;
  uint64_t* keys = key_rows(t, x, context);
  if (!keys || options_.samples == 1) return model_.log_prob(s, x, context);
  const int64_t n = x->out.shape[0];
  // exp(highest) * sum is the sum of exp(log_prob) so far.
  auto *highest = t.scratch<double>(n), *sum = t.scratch<double>(n);
  Var mean = t.empty({n});
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t k = 0; k < options_.samples; ++k) {
      const TapeScope scope(t);
      t.random.stream = 0;
      const T* lp = model_.log_prob(s, x, context)->out.as<T>();
      for (int64_t r = 0; r < n; ++r) {
        keys[r] += kNextDraw;
        const double v = static_cast<double>(lp[r]);
        if (k == 0 || v > highest[r] || v != v) {
          sum[r] = k == 0 || highest[r] == -kInfinity ? 1 : sum[r] * std::exp(highest[r] - v) + 1;
          highest[r] = v;
        } else if (highest[r] != -kInfinity) {
          sum[r] += std::exp(v - highest[r]);
        }
      }
    }
    for (int64_t r = 0; r < n; ++r)
      mean->out.as<T>()[r] = static_cast<T>(highest[r] + std::log(sum[r] / static_cast<double>(options_.samples)));
  });
  return mean;
}

Density::Sampled Session::draw(const Scope& s, int64_t rows, Var context, bool with_log_prob) const {
  Density::Sampled drawn = model_.sample(s, rows, context, with_log_prob && model_.exact());
  if (with_log_prob && !model_.exact()) drawn.log_prob = score(s, drawn.x, context);
  return drawn;
}

const FlowModel& Session::flow(const char* what) const {
  if (const FlowModel* flow = model_.flow()) return *flow;
  fail(Code::unsupported, "the model has no %s: it is not a chain of layers between data and latents", what);
}

void Session::log_prob(const View& x, const View& context, const View& out) {
  const Entry entry(busy_);
  for_blocks(x.shape[0], [&](Worker& w, int64_t first, int64_t rows) {
    Var xv = load_rows(w.tape, x, first, rows);
    Var cv = context_rows(w.tape, context, first, rows);
    Var lp = score({w.tape, w.params.data()}, xv, cv);
    check(w, false, xv, cv, lp, first);
    store_rows(lp, out, first);
  });
}

void Session::map(bool inverse, const View& from, const View& context, const View& to, const View& log_det) {
  const Entry entry(busy_);
  const FlowModel& model = flow(inverse ? "inverse" : "forward");
  for_blocks(from.shape[0], [&](Worker& w, int64_t first, int64_t rows) {
    const Scope s{w.tape, w.params.data()};
    Var xv = load_rows(w.tape, from, first, rows);
    Var cv = context_rows(w.tape, context, first, rows);
    if (!inverse) key_rows(w.tape, xv, cv);
    const Mapped m = inverse ? model.inverse(s, xv, cv) : model.forward(s, xv, cv);
    check(w, inverse, xv, cv, m.y, first);
    check(w, inverse, xv, cv, m.log_det, first);
    store_rows(m.y, to, first);
    if (log_det.data) store_rows(m.log_det, log_det, first);
  });
}

void Session::trace(bool inverse, const View& from, const View& context, const View& out) {
  const Entry entry(busy_);
  const FlowModel& model = flow("trace");
  const auto plane = [&](size_t k) {
    View v = out;
    v.shape = {out.shape[1], out.shape[2]};
    v.stride[0] = out.stride[1];
    v.stride[1] = out.stride[2];
    v.data = static_cast<char*>(out.data) + static_cast<int64_t>(k) * out.stride[0] * size_of(out.dtype);
    return v;
  };
  for_blocks(from.shape[0], [&](Worker& w, int64_t first, int64_t rows) {
    Var xv = load_rows(w.tape, from, first, rows);
    Var cv = context_rows(w.tape, context, first, rows);
    store_rows(xv, plane(0), first);
    const auto keep = [&](size_t k, Var y) { store_rows(y, plane(k), first); };
    if (!inverse) key_rows(w.tape, xv, cv);
    // Passed by reference, so that std::function does not allocate.
    const Mapped m = model.trace({w.tape, w.params.data()}, xv, cv, inverse, std::ref(keep));
    check(w, inverse, xv, cv, m.y, first);
    check(w, inverse, xv, cv, m.log_det, first);
  });
}

void Session::sample(uint64_t seed, uint64_t first_index, const View& context, const View& out, const View& log_prob) {
  const Entry entry(busy_);
  for_blocks(out.shape[0], [&](Worker& w, int64_t first, int64_t rows) {
    w.tape.random.seed = seed;
    w.tape.random.first_row = static_cast<int64_t>(first_index) + first;
    Var cv = context_rows(w.tape, context, first, rows);
    const auto drawn = draw({w.tape, w.params.data()}, rows, cv, log_prob.data != nullptr);
    check(w, true, drawn.z, cv, drawn.x, first);
    store_rows(drawn.x, out, first);
    if (log_prob.data) store_rows(drawn.log_prob, log_prob, first);
  });
}

}  // namespace nf
