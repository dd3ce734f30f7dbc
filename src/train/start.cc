#include "src/train/start.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "runtime/core/rows.h"
#include "runtime/kernel/reduce.h"
#include "src/flow/start.h"
#include "src/lane/lane_sums.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

bool waits(const FlowModel& model, ParamId flag) {
  if (flag < 0) return false;
  const View v = model.params().view(static_cast<size_t>(flag));
  return with_dtype(v.dtype, [&]<class T>() { return *v.as<T>() == 0; });
}

bool waits(const FlowModel& model, const LayerInstance& instance) { return waits(model, instance.layer->started()); }

// Loads rows [first, first + count) of those that take part, with what rounding takes from them if `with_low`.
Var load_chosen(Tape& t, const View& from, const Selection* which, int64_t first, int64_t count, bool with_low) {
  if (!which || which->all() || from.shape[0] == 1)
    return load_rows(t, from, from.shape[0] == 1 ? 0 : first, count, with_low);
  return gather_rows(t, from, count, with_low, [&](const View& to) {
    which->each_run(first, first + count, [&](int64_t row, int64_t place, int64_t run) {
      copy_rows(rows_of_view(from, row, run), rows_of_view(to, place - first, run));
    });
  });
}

// The rows as they advance through the chain, in a private copy from the first layer on.
class PropagatedRows {
 public:
  // Prepares for advancing up to layer `last`, exclusive.
  PropagatedRows(const Allocator& allocator, Executor& executor, const FlowModel& model, const BatchCut& cut,
                 const StartRows& data, size_t last)
      : allocator_(allocator), executor_(executor), model_(model), cut_(cut), data_(data) {
    Reader measuring(model, Tape(allocator, model.dtype()));
    Tape& t = measuring.tape;
    const int64_t n = cut.block_rows;
    double zero;
    const auto load = [&] {
      if (model.uses_low()) t.scratch<double>(n * model.columns());
      return model.load_x(t, zeros_of(&zero, {n, model.columns()}), 0, n);
    };
    Var from = load();
    whole_rows(t, *from);
    Var c = nullptr;
    if (data.context.data) {
      if (model.uses_context_low()) t.scratch<double>(n * model.context());
      c = model.load_context(t, zeros_of(&zero, {n, model.context()}), 0, n);
    }
    draw(t, load(), c);
    model.chain().part(measuring.scope(), 0, last, from, model.layer_context(measuring.scope(), c, n), Memory::full);
    for (int64_t i = 0; i < lanes(); ++i)
      lanes_.push_back(
          std::make_unique<Reader>(model, Tape(allocator, model.dtype(), measuring.tape.arena().high_water())));
  }
  int64_t lanes() const { return cut_.lanes(rows()); }
  int64_t rows() const { return data_.which ? data_.which->rows() : data_.x.shape[0]; }
  // Where a row stands in the data, and what messages call it.
  int64_t row_of(int64_t r) const { return data_.which ? data_.which->row_of(r) : r; }
  int64_t number(int64_t r) const { return data_.numbers ? data_.numbers[row_of(r)] : row_of(r); }
  // Whether row `row` of the caller's x is finite, before any layer.
  bool arrives_finite(int64_t row) const {
    Reader& r = *lanes_[0];
    const TapeScope scope(r.tape);
    return all_finite(load_rows(r.tape, data_.x, row_of(row), 1));
  }

  // Calls body(current rows, number of the first row) for the blocks of a lane, in order.
  template <class F>
  void blocks(int64_t lane, F&& body) const {
    Reader& r = *lanes_[static_cast<size_t>(lane)];
    const int64_t end = lane_begin(rows(), lane + 1, lanes());
    for (int64_t first = lane_begin(rows(), lane, lanes()); first < end; first += cut_.block_rows) {
      const TapeScope scope(r.tape);
      const int64_t count = std::min(cut_.block_rows, end - first);
      body(r,
           copy_.data() ? model_.load_x(r.tape, now_, first, count)
                        : load_chosen(r.tape, data_.x, data_.which, first, count, model_.uses_low()),
           first);
    }
  }

  // Advances to layer `to`, exclusive.
  void advance(size_t to) {
    if (to == at_) return;
    Buffer fresh;
    if (!copy_.data()) {
      const Dims shape{rows(), model_.columns()};
      const bool wide = model_.uses_low() && data_.x.dtype == DType::f64;
      const DType dtype = wide ? DType::f64 : model_.dtype();
      fresh = Buffer(allocator_, static_cast<size_t>(checked_mul(shape.count(), size_of(dtype))),
                     "rows on their way to a layer that starts from data");
      now_ = contiguous_view(fresh.data(), dtype, shape);
    }
    uint32_t stream = stream_;
    executor_.parallel_for(static_cast<uint32_t>(lanes()), [&](uint32_t i) {
      blocks(i, [&](Reader& r, Var x, int64_t first) {
        const int64_t n = x->out.shape[0];
        Var c = nullptr;
        if (data_.context.data)
          c = load_chosen(r.tape, data_.context, data_.which, first, n, model_.uses_context_low());
        draw(r.tape, copy_.data() ? load_chosen(r.tape, data_.x, data_.which, first, n, model_.uses_low()) : x, c);
        c = model_.layer_context(r.scope(), c, n);
        store_rows(model_.chain().part(r.scope(), at_, to, x, c, Memory::full).y, now_, first);
        if (first == 0) stream = r.tape.random.stream;
      });
    });
    stream_ = stream;
    if (fresh.data()) copy_ = std::move(fresh);
    at_ = to;
  }

 private:
  struct Reader {
    Reader(const FlowModel& model, Tape on) : tape(std::move(on)), params(model.params().slots().size()) {
      tape.recording = false;
      model.params().bind(params.data(), nullptr, nullptr);
    }
    Scope scope() { return {tape, params.data()}; }
    Tape tape;
    std::vector<Node> params;
  };
  // Makes layers draw for these rows of x as a session does.
  void draw(Tape& t, Var x, Var context) const {
    t.random = {};
    if (!model_.exact()) draw_by_content(t, x, context, data_.seed);
    t.random.stream = stream_;
  }

  const Allocator& allocator_;
  Executor& executor_;
  const FlowModel& model_;
  BatchCut cut_;
  const StartRows& data_;
  View now_;
  std::vector<std::unique_ptr<Reader>> lanes_;
  size_t at_ = 0;
  uint32_t stream_ = 0;  // the next one that the rows draw from
  Buffer copy_;
};

[[noreturn]] void report_nonfinite(const PropagatedRows& propagated, const double* weight,
                                   const LayerInstance& instance) {
  for (int64_t lane = 0; lane < propagated.lanes(); ++lane)
    propagated.blocks(lane, [&](auto&, Var x, int64_t first) {
      for (int64_t r = 0; r < x->out.shape[0]; ++r) {
        const bool finite = with_dtype(x->out.dtype, [&]<class T>() {
          return kernel::all_finite(x->out.as<T>() + r * x->out.stride[0], x->out.shape[1]);
        });
        if (finite || (weight && !(weight[first + r] > 0))) continue;
        const int64_t number = propagated.number(first + r);
        if (!propagated.arrives_finite(first + r))
          fail_at(Code::numeric, {number, -1}, "%s, so %s cannot start from data",
                  Density::describe_nonfinite(number, Density::kData).c_str(), instance.where.c_str());
        fail_at(Code::numeric, {number, instance.index},
                "row %lld is not finite where it arrives at %s, which starts from data", static_cast<long long>(number),
                instance.where.c_str());
      }
    });
  fail(Code::numeric, "%s cannot start from data: rows of another rank are not finite, or numbers are too large",
       instance.where.c_str());
}

// Restores the tensors of the layers on destruction, unless `done` is set.
class Rollback {
 public:
  Rollback(const Allocator& allocator, const FlowModel& model, const std::vector<const LayerInstance*>& instances)
      : model_(model), instances_(instances) {
    size_t bytes = 0;
    each([&](const View&, size_t n) { bytes += n; });
    old_ = Buffer(allocator, bytes, "tensors that start from data");
    char* p = old_.as<char>();
    each([&](const View& v, size_t n) {
      std::memcpy(p, v.data, n);
      p += n;
    });
  }
  ~Rollback() {
    if (done) return;
    const char* p = old_.as<char>();
    each([&](const View& v, size_t n) {
      std::memcpy(v.data, p, n);
      p += n;
    });
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  bool done = false;

 private:
  template <class F>
  void each(F&& body) const {
    for (const LayerInstance* s : instances_)
      for (ParamId i = s->first; i < s->first + s->count; ++i) {
        const View v = model_.params().view(static_cast<size_t>(i));
        if (v.count()) body(v, static_cast<size_t>(v.count() * size_of(v.dtype)));
      }
  }
  const FlowModel& model_;
  const std::vector<const LayerInstance*>& instances_;
  Buffer old_;
};

// Standardizes the context by the rows that take part; puts everything back on destruction, unless `done` is set.
class ContextStart {
 public:
  ContextStart(const FlowModel& model, const StartRows& data, double rows, const Collective& collective)
      : model_(model), started_(waits(model, model.context_params().started) && data.context.data) {
    if (!started_) return;
    const int64_t c = model.context(), n = data.which ? data.which->rows() : data.x.shape[0];
    const bool shared = data.context.shape[0] == 1;  // one row for all: it is only centered
    std::vector<double> row(static_cast<size_t>(c)), mean(row.size()), squares(row.size());
    const auto each_row = [&](auto&& add) {
      for (int64_t r = 0; r < n; ++r) {
        const int64_t at = data.which ? data.which->row_of(r) : r;
        if (data.weight.data && !(scalar_at(data.weight, at) > 0)) continue;
        copy_rows(rows_of_view(data.context, shared ? 0 : at, 1), contiguous_view(row.data(), DType::f64, {1, c}));
        for (int64_t j = 0; j < c; ++j) {
          const double v = row[static_cast<size_t>(j)];
          if (std::isfinite(v)) {
            add(static_cast<size_t>(j), v);
            continue;
          }
          const auto number = static_cast<long long>(data.numbers ? data.numbers[at] : at);
          fail_at(Code::numeric, {number, -1},
                  "row %lld of the context is not finite, so spec.prepare_context cannot "
                  "start from data",
                  number);
        }
      }
    };
    each_row([&](size_t j, double v) { mean[j] += v; });
    collective.sum(mean.data(), c, DType::f64, "means of the context");
    for (double& m : mean) m /= rows;
    each_row([&](size_t j, double v) { squares[j] += (v - mean[j]) * (v - mean[j]); });
    collective.sum(squares.data(), c, DType::f64, "spreads of the context");
    const FlowModel::ContextParams& p = model.context_params();
    const auto spread = [&](int64_t j) {
      const double m = mean[static_cast<size_t>(j)], s = std::sqrt(squares[static_cast<size_t>(j)] / (rows - 1));
      return s > 1e-12 * std::abs(m) && s > 0 ? s : 1;  // a constant column is only centered
    };
    write_param(model.params(), p.mean, p.mean_low, [&](int64_t j) {
      return Spread{mean[static_cast<size_t>(j)], spread(j)};
    });
    write_param(model.params(), p.std, spread);
    write_param(model.params(), p.started, [](int64_t) { return 1; });
  }
  ~ContextStart() {
    if (!started_ || done) return;
    const FlowModel::ContextParams& p = model_.context_params();
    write_param(model_.params(), p.mean, p.mean_low, [](int64_t) { return Spread{0, 1}; });
    write_param(model_.params(), p.std, [](int64_t) { return 1; });
    write_param(model_.params(), p.started, [](int64_t) { return 0; });
  }
  ContextStart(const ContextStart&) = delete;
  ContextStart& operator=(const ContextStart&) = delete;
  bool done = false;

 private:
  const FlowModel& model_;
  const bool started_;
};

}  // namespace

bool waits_for_data(const FlowModel& model) {
  if (waits(model, model.context_params().started)) return true;
  for (const LayerInstance& s : model.layers())
    if (waits(model, s)) return true;
  return false;
}

void keep_initial(const FlowModel& model) {
  if (const ParamId flag = model.context_params().started; waits(model, flag))
    write_param(model.params(), flag, [](int64_t) { return 1; });
  for (const LayerInstance& s : model.layers())
    if (waits(model, s)) write_param(model.params(), s.layer->started(), [](int64_t) { return 1; });
}

void start_from_data(const Allocator& allocator, Executor& executor, const FlowModel& model, const BatchCut& cut,
                     const StartRows& data, const Collective& collective) {
  std::vector<const LayerInstance*> waiting;
  for (const LayerInstance& s : model.layers())
    if (waits(model, s)) waiting.push_back(&s);
  const bool context = waits(model, model.context_params().started);
  if (waiting.empty() && !context) return;
  const auto index = [&](const LayerInstance* s) { return static_cast<size_t>(s - model.layers().data()); };
  const int64_t n = data.which ? data.which->rows() : data.x.shape[0], d = model.columns();
  const View& weight = data.weight;
  const auto doubles = [&](int64_t count) {
    return Buffer(allocator, static_cast<size_t>(checked_mul(count, sizeof(double))), "statistics of columns");
  };
  const Buffer weights = doubles(weight.data ? n : 0), memory = doubles(2 * d);
  const double* w = weight.data ? weights.as<double>() : nullptr;
  double rows = weight.data ? 0 : static_cast<double>(n);
  for (int64_t r = 0; w && r < n; ++r)
    rows += (weights.as<double>()[r] = scalar_at(weight, data.which ? data.which->row_of(r) : r)) > 0;
  collective.sum(&rows, 1, DType::f64, "number of rows");
  if (rows < 2)
    fail(Code::argument, "%s starts from the data and needs at least 2 rows for that, got %g",
         waiting.empty() ? "spec.prepare_context" : waiting[0]->where.c_str(), rows);

  ContextStart context_start(model, data, rows, collective);
  if (waiting.empty()) {
    context_start.done = true;
    return;
  }
  Rollback rollback(allocator, model, waiting);
  PropagatedRows propagated(allocator, executor, model, cut, data, index(waiting.back()));
  const LaneSums sums(allocator, d);
  double* mean = memory.as<double>();
  for (const LayerInstance* instance : waiting) {
    propagated.advance(index(instance));
    const auto each_block = [&](int64_t lane, auto&& add) {
      propagated.blocks(
          lane, [&](auto& reader, Var v, int64_t first) { add(whole_rows(reader.tape, *v), w ? w + first : nullptr); });
    };
    executor.parallel_for(static_cast<uint32_t>(propagated.lanes()), [&](uint32_t i) {
      double* out = sums.clear(i);
      each_block(i, [&](const View& v, const double* counts) { column_sums(v, counts, out); });
    });
    sums.finish(executor, propagated.lanes(), rows, collective, mean, mean + d,
                [&](int64_t i, const double* m, double* out) {
                  each_block(i, [&](const View& v, const double* counts) { column_deviations(v, counts, m, out); });
                });
    for (int64_t j = 0; j < 2 * d; ++j)
      if (!std::isfinite(mean[j])) report_nonfinite(propagated, w, *instance);
    instance->layer->start(model.params(), {rows, instance->columns, mean, mean + d}, instance->inverted);
    write_param(model.params(), instance->layer->started(), [](int64_t) { return 1; });
  }
  rollback.done = context_start.done = true;
}

}  // namespace libnf
