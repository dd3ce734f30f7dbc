#include "src/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/kernel/binary.h"
#include "runtime/op/layout.h"
#include "src/model/rows.h"

namespace nf {
namespace {

double* doubles(const Buffer& b) { return b.as<double>(); }

// Rows without weight count for nothing whatever they hold, but 0 * NaN is NaN: one that has weight takes their place.
// False when there is none.
bool hide_weightless(const View& weight, int64_t first, Var x, Var context) {
  const int64_t rows = x->out.shape[0];
  const auto counts = [&](int64_t r) { return scalar_at(weight, first + r) > 0; };
  int64_t good = 0;
  while (good < rows && !counts(good)) ++good;
  if (good == rows) return false;
  for (int64_t r = 0; r < rows; ++r) {
    if (counts(r)) continue;
    for (Var v : {x, context}) {
      if (!v) continue;
      const auto bytes = static_cast<size_t>(v->out.shape[1] * size_of(v->out.dtype));
      char* data = v->out.as<char>();
      std::memcpy(data + static_cast<size_t>(r) * bytes, data + static_cast<size_t>(good) * bytes, bytes);
    }
  }
  return true;
}

size_t trainable_bytes(const FlowModel& model) {
  return static_cast<size_t>(model.params().trainable_size() * size_of(model.dtype()));
}

}  // namespace

Trainer::Trainer(const Allocator& allocator, Executor& executor, FlowModel& model, const TrainerConfig& config,
                 const Collective& collective)
    : allocator_(allocator), executor_(executor), model_(model), config_(config), collective_(collective) {
  check(config_.optimizer);
  check(config_.schedule, config_.optimizer.lr);
  config_.schedule = resolve(config_.schedule, config_.max_steps);
  mirror_ = Buffer(allocator, static_cast<size_t>(model.params().mirror_size() * size_of(model.dtype())),
                   "transposed weights");
  for (int i = 0; i < state_slots(config_.optimizer); ++i)
    slots_.emplace_back(allocator, trainable_bytes(model), "optimiser state");
  const int64_t chunks = chunk_count(model.params().trainable_size());
  partials_ = Buffer(allocator, static_cast<size_t>(chunks) * sizeof(double), "gradient norms");
  arena_bytes_ = measure();
  need_lanes(1);
  parameters_changed();
}

// One block of training on a tape that grows.
size_t Trainer::measure() const {
  Buffer grads(allocator_, trainable_bytes(model_), "measuring a graph");
  Tape t(allocator_, model_.dtype());
  t.training = true;
  std::vector<Node> params(model_.params().slots().size());
  model_.params().bind(params.data(), grads.data(), mirror_.data());
  const Scope s{t, params.data()};
  const int64_t n = model_.block_rows();
  Var x = t.zeros({n, model_.event()});
  Var c = model_.context() ? t.zeros({n, model_.context()}) : nullptr;
  Var lp = model_.log_prob(s, x, c, config_.memory);
  if (lp->needs_grad) {
    t.grad(*lp);
    t.backward();
  }
  return t.arena().high_water();
}

void Trainer::need_lanes(int64_t batch) {
  const int64_t lanes = lane_count(batch);
  while (static_cast<int64_t>(lanes_.size()) < lanes)
    lanes_.push_back(std::make_unique<Lane>(allocator_, model_, arena_bytes_, mirror_.data()));
  const auto bytes = static_cast<size_t>(checked_mul(batch, sizeof(double)));
  if (row_loss_.bytes() < bytes) row_loss_ = Buffer(allocator_, bytes, "losses of the rows");
}

size_t Trainer::bytes() const {
  size_t n = mirror_.bytes() + row_loss_.bytes() + partials_.bytes();
  for (const Buffer& b : slots_) n += b.bytes();
  for (const auto& l : lanes_) n += l->bytes();
  return n;
}

void Trainer::parameters_changed() {
  const auto count = static_cast<uint32_t>(model_.params().slots().size());
  if (mirror_.data())
    executor_.parallel_for(count, [&](uint32_t i) { model_.params().refresh_mirror(i, mirror_.data()); });
}

void Trainer::run_lane(Lane& lane, int64_t index, int64_t lanes, const View& x, const View& context, const View& weight,
                       double total_weight) {
  const int64_t n = x.shape[0];
  const int64_t begin = n * index / lanes, end = n * (index + 1) / lanes;
  Tape& t = lane.tape;
  lane.begin_step();
  for (int64_t first = begin; first < end; first += model_.block_rows()) {
    const int64_t rows = std::min(model_.block_rows(), end - first);
    const TapeScope scope(t);
    t.random = {};
    t.random.seed = config_.seed;
    t.random.step = step_;
    t.random.first_row = first;
    Var xv = load_rows(t, x, first, rows);
    Var cv = context.data ? load_rows(t, context, context.shape[0] == 1 ? 0 : first, rows) : nullptr;
    if (weight.data && !hide_weightless(weight, first, xv, cv)) {
      std::fill_n(doubles(row_loss_) + first, rows, 0.0);
      continue;
    }
    Var lp = model_.log_prob({t, lane.params.data()}, xv, cv, config_.memory);
    with_dtype(t.dtype(), [&]<class T>() {
      const T* values = lp->out.as<T>();
      T* seed = lp->needs_grad ? t.grad(*lp).template as<T>() : nullptr;
      for (int64_t r = 0; r < rows; ++r) {
        const double w = weight.data ? scalar_at(weight, first + r) : 1;
        doubles(row_loss_)[first + r] = w == 0 ? 0 : -w * static_cast<double>(values[r]);
        if (seed) seed[r] = static_cast<T>(-w / total_weight);
      }
    });
    if (lp->needs_grad) t.backward();
  }
  lane.end_step(model_.params());
}

// Leaves the sum over lanes in lane 0, in lane order, and returns its 2-norm.
double Trainer::sum_gradients(int64_t lanes) {
  const int64_t n = model_.params().trainable_size(), chunks = chunk_count(n);
  with_dtype(model_.dtype(), [&]<class T>() {
    T* total = lanes_[0]->grads.template as<T>();
    const auto add = [&](uint32_t c) {
      const int64_t begin = c * kNormChunk, count = std::min(kNormChunk, n - begin);
      for (int64_t l = 1; l < lanes; ++l)
        kernel::accumulate(lanes_[static_cast<size_t>(l)]->grads.template as<T>() + begin, total + begin, count);
    };
    const auto measure = [&](uint32_t c) { doubles(partials_)[c] = chunk_sumsq(total, n, c); };
    if (collective_.world > 1) {
      executor_.parallel_for(static_cast<uint32_t>(chunks), add);
      if (collective_.allreduce_sum(collective_.user, total, static_cast<size_t>(n),
                                    static_cast<int32_t>(model_.dtype())) != 0)
        fail(Code::callback, "allreduce_sum failed on the gradient");
      executor_.parallel_for(static_cast<uint32_t>(chunks), measure);
    } else {
      executor_.parallel_for(static_cast<uint32_t>(chunks), [&](uint32_t c) {
        add(c);
        measure(c);
      });
    }
  });
  return combine_norm(doubles(partials_), chunks);
}

void Trainer::update(double lr, double factor) {
  const int64_t n = model_.params().trainable_size();
  with_dtype(model_.dtype(), [&]<class T>() {
    T* grads = lanes_[0]->grads.template as<T>();
    T* slots[8] = {};
    for (size_t i = 0; i < slots_.size(); ++i) slots[i] = slots_[i].template as<T>();
    executor_.parallel_for(static_cast<uint32_t>(chunk_count(n)), [&](uint32_t c) {
      const int64_t begin = c * kNormChunk, end = std::min(n, begin + kNormChunk);
      double scale = factor;
      if (config_.clip.max_value > 0) {  // the limit is on the gradient itself, so the factor goes first
        kernel::scale<T>(static_cast<T>(scale), grads + begin, grads + begin, end - begin);
        clip_value(grads, config_.clip.max_value, begin, end);
        scale = 1;
      }
      apply<T>(config_.optimizer, lr, step_ + 1, scale, static_cast<T*>(model_.params().data()), grads, slots, begin,
               end);
    });
  });
  parameters_changed();
}

StepResult Trainer::step(const View& x, const View& context, const View& weight) {
  const int64_t n = x.shape[0];
  double total = static_cast<double>(n);
  if (weight.data) {
    total = 0;
    for (int64_t r = 0; r < n; ++r) {
      const double w = scalar_at(weight, r);
      if (!(w >= 0) || std::isinf(w))
        fail(Code::argument, "weight[%lld] = %g; weights are finite and not negative", static_cast<long long>(r), w);
      total += w;
    }
  }
  const auto allreduce = [&](double& v, const char* what) {
    if (collective_.world > 1 &&
        collective_.allreduce_sum(collective_.user, &v, 1, static_cast<int32_t>(DType::f64)) != 0)
      fail(Code::callback, "allreduce_sum failed on the %s", what);
  };
  allreduce(total, "weights");
  if (!(total > 0)) fail(Code::argument, "all %lld weights are zero", static_cast<long long>(n));
  need_lanes(n);
  const int64_t lanes = lane_count(n);
  executor_.parallel_for(static_cast<uint32_t>(lanes),
                         [&](uint32_t i) { run_lane(*lanes_[i], i, lanes, x, context, weight, total); });
  double loss = 0;
  for (int64_t r = 0; r < n; ++r) loss += doubles(row_loss_)[r];
  allreduce(loss, "loss");
  loss /= total;
  if (!std::isfinite(loss)) report_nonfinite(x, context, n);
  const double norm = sum_gradients(lanes);
  if (!std::isfinite(norm))
    fail(Code::numeric, "step %llu: the loss is %g but its gradient is not finite; the step is not applied",
         static_cast<unsigned long long>(step_ + 1), loss);
  const double lr = learning_rate(config_.schedule, config_.optimizer.lr, step_, plateau_);
  update(lr, norm_factor(norm, config_.clip.max_norm));
  ++step_;
  return {step_, loss, norm, lr};
}

void Trainer::report_nonfinite(const View& x, const View& context, int64_t n) {
  int64_t bad = 0, first = -1;
  for (int64_t r = 0; r < n; ++r) {
    if (std::isfinite(doubles(row_loss_)[r])) continue;
    if (first < 0) first = r;
    ++bad;
  }
  if (first < 0)
    fail(Code::numeric, "step %llu: the loss of another rank is not finite; the step is not applied",
         static_cast<unsigned long long>(step_ + 1));
  Lane& lane = *lanes_[0];
  const TapeScope scope(lane.tape);
  lane.tape.recording = false;
  lane.tape.training = false;
  Var xv = load_rows(lane.tape, x, first, 1);
  Var cv = context.data ? load_rows(lane.tape, context, context.shape[0] == 1 ? 0 : first, 1) : nullptr;
  const std::string where = model_.first_nonfinite({lane.tape, lane.params.data()}, xv, cv);
  lane.tape.recording = true;
  lane.tape.training = true;
  fail(Code::numeric,
       "step %llu: the loss of row %lld (%lld rows in all) is not finite; first at %s; the step is not applied",
       static_cast<unsigned long long>(step_ + 1), static_cast<long long>(first), static_cast<long long>(bad),
       where.c_str());
}

std::vector<std::pair<std::string, View>> Trainer::state_tensors() const {
  std::vector<std::pair<std::string, View>> all;
  for (size_t i = 0; i < slots_.size(); ++i)
    all.emplace_back(slot_name(config_.optimizer, static_cast<int>(i)),
                     contiguous_view(slots_[i].data(), model_.dtype(), {model_.params().trainable_size()}));
  return all;
}

void Trainer::restore_state(uint64_t step, const PlateauState& plateau) {
  step_ = step;
  plateau_ = plateau;
  parameters_changed();
}

}  // namespace nf
