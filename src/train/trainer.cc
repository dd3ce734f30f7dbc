#include "src/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/kernel/binary.h"
#include "runtime/op/layout.h"
#include "src/model/rows.h"
#include "src/train/start.h"

namespace nf {
namespace {

double* doubles(const Buffer& b) { return b.as<double>(); }

size_t trainable_bytes(const FlowModel& model) {
  return static_cast<size_t>(model.params().trainable_size() * size_of(model.dtype()));
}

}  // namespace

Trainer::Trainer(const Allocator& allocator, Executor& executor, FlowModel& model, const TrainerConfig& config,
                 const Collective& collective)
    : allocator_(allocator),
      executor_(executor),
      model_(model),
      config_(config),
      collective_(collective),
      cut_(cut_of(model)),
      phases_(allocator, model, config.memory),
      variational_(allocator, model, config.objective, config.memory, collective) {
  check(config_.optimizer);
  check(config_.schedule, config_.optimizer.lr);
  if (config_.objective.kind == ObjectiveKind::symmetric && phases_.needed())
    fail(Code::unsupported, "objective \"symmetric\" does not train layers that couple rows (batch_norm): use actnorm");
  config_.schedule = resolve(config_.schedule, config_.max_steps);
  mirror_ = Buffer(allocator, static_cast<size_t>(model.params().mirror_size() * size_of(model.dtype())),
                   "transposed weights");
  variational_.bind(mirror_.data());
  variational_.set_cut(cut_);
  for (int i = 0; i < state_slots(config_.optimizer); ++i)
    slots_.emplace_back(allocator, trainable_bytes(model), "optimiser state");
  check_fields(ema_fields(), config_.ema);
  if (config_.ema.decay > 0) average_ = Buffer(allocator, trainable_bytes(model), "averaged parameters");
  const int64_t chunks = chunk_count(model.params().trainable_size());
  partials_ = Buffer(allocator, static_cast<size_t>(chunks) * sizeof(double), "gradient norms");
  if (!variational_.needed()) need_lanes(1);
  parameters_changed();
}

// One block, or the rows of a lane that trains in phases, on a tape that grows; and the samples of a lane.
size_t Trainer::measure(int64_t rows) {
  Lane lane(allocator_, model_, Tape(allocator_, model_.dtype()), mirror_.data());
  if (variational_.needed()) variational_.measure(lane);
  if (rows == 0) return lane.tape.arena().high_water();
  lane.begin_step();
  const Buffer losses(allocator_, static_cast<size_t>(checked_mul(rows, sizeof(double))), "measuring a graph");
  lane.tape.measuring = true;
  double zero = 0;
  View zeros;  // all elements are that one
  zeros.data = &zero;
  zeros.dtype = DType::f64;
  Batch batch{zeros, {}, {}, 1, {}, losses.as<double>()};
  batch.x.shape = {rows, model_.event()};
  if (model_.context()) {
    batch.context = zeros;
    batch.context.shape = {rows, model_.context()};
  }
  if (!phased()) {
    run_block(lane, batch, 0, rows);
    return lane.tape.arena().high_water();
  }
  phases_.measure(lane, batch);
  lane.begin_step();
  blame(lane, batch, 0);
  return lane.tape.arena().high_water();
}

void Trainer::need_lanes(int64_t batch) {
  const auto bytes = static_cast<size_t>(checked_mul(batch, sizeof(double)));
  if (row_loss_.bytes() < bytes) row_loss_ = Buffer(allocator_, bytes, "losses of the rows");
  if (phased() && row_weight_.bytes() < bytes) row_weight_ = Buffer(allocator_, bytes, "weights of the rows");
  const int64_t rows = phased() ? cut_.most_lane_rows(batch) : batch > 0 ? cut_.block_rows : 0;
  const int64_t samples = variational_.rows_held();
  if (rows > arena_rows_ || samples > arena_samples_) {
    lanes_.clear();
    arena_rows_ = arena_samples_ = 0;
    arena_bytes_ = measure(rows);
    arena_rows_ = rows;
    arena_samples_ = samples;
  }
  const int64_t lanes = cut_.lanes(std::max(batch, variational_.rows()));
  while (static_cast<int64_t>(lanes_.size()) < lanes)
    lanes_.push_back(
        std::make_unique<Lane>(allocator_, model_, Tape(allocator_, model_.dtype(), arena_bytes_), mirror_.data()));
}

size_t Trainer::bytes() const {
  size_t n = mirror_.bytes() + average_.bytes() + row_loss_.bytes() + row_weight_.bytes() + partials_.bytes() +
             phases_.bytes() + variational_.bytes();
  for (const Buffer& b : slots_) n += b.bytes();
  for (const auto& l : lanes_) n += l->bytes();
  return n;
}

void Trainer::parameters_changed() {
  waits_ = waits_for_data(model_);
  const auto count = static_cast<uint32_t>(model_.params().slots().size());
  if (mirror_.data())
    executor_.parallel_for(count, [&](uint32_t i) { model_.params().refresh_mirror(i, mirror_.data()); });
}

void Trainer::run_block(Lane& lane, const Batch& batch, int64_t first, int64_t rows) {
  Tape& t = lane.tape;
  const TapeScope scope(t);
  Var x, context;
  if (!lane.load(batch, first, rows, &x, &context)) return;
  Var lp = model_.log_prob(lane.scope(), x, context, config_.memory);
  lane.seed(batch, first, lp);
  if (lp->needs_grad) t.backward();
}

void Trainer::run_lane(Lane& lane, int64_t index, int64_t lanes, const Batch& batch) {
  const int64_t n = batch.x.data ? batch.x.shape[0] : 0, end = lane_begin(n, index + 1, lanes);
  lane.begin_step();
  for (int64_t first = lane_begin(n, index, lanes); first < end; first += cut_.block_rows)
    run_block(lane, batch, first, std::min(cut_.block_rows, end - first));
  if (variational_.needed()) variational_.draw(lane, index, lanes);
  if (!variational_.needed() || variational_.sections() == 1) lane.end_step(model_.params());
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
      collective_.sum(total, n, model_.dtype(), "gradient");
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
    T* const params = static_cast<T*>(model_.params().data());
    T* const average = average_.template as<T>();
    executor_.parallel_for(static_cast<uint32_t>(chunk_count(n)), [&](uint32_t c) {
      const int64_t begin = c * kNormChunk, end = std::min(n, begin + kNormChunk);
      double scale = factor;
      if (config_.clip.max_value > 0) {  // the limit is on the gradient itself, so the factor goes first
        kernel::scale<T>(static_cast<T>(scale), grads + begin, grads + begin, end - begin);
        clip_value(grads, config_.clip.max_value, begin, end);
        scale = 1;
      }
      if (average && step_ == 0) std::copy(params + begin, params + end, average + begin);
      apply<T>(config_.optimizer, lr, step_ + 1, scale, params, grads, slots, begin, end);
      if (average) ema_update(config_.ema, step_ + 1, average, params, begin, end);
    });
  });
  parameters_changed();
}

void Trainer::swap_average() {
  const int64_t n = model_.params().trainable_size();
  with_dtype(model_.dtype(), [&]<class T>() {
    T* const params = static_cast<T*>(model_.params().data());
    T* const average = average_.template as<T>();
    executor_.parallel_for(static_cast<uint32_t>(chunk_count(n)), [&](uint32_t c) {
      const int64_t begin = c * kNormChunk, end = std::min(n, begin + kNormChunk);
      if (step_ == 0)
        std::copy(params + begin, params + end, average + begin);
      else
        std::swap_ranges(params + begin, params + end, average + begin);
    });
  });
}

void Trainer::use_average(bool on) {
  if (!average_.data())
    fail(Code::state, "no average of the parameters is kept: set the option \"ema_decay\", for example 0.999");
  if (on != averaged_) swap_average();
  averaged_ = on;
}

// The sum of the weights over all ranks, and the number of rows that have weight.
double Trainer::weigh(const View& weight, int64_t n, double* counting) {
  double sums[2] = {static_cast<double>(n), static_cast<double>(n)};
  if (weight.data) {
    sums[0] = sums[1] = 0;
    for (int64_t r = 0; r < n; ++r) {
      const double w = scalar_at(weight, r);
      if (!(w >= 0) || std::isinf(w))
        fail(Code::argument, "weight[%lld] = %g; weights are finite and not negative", static_cast<long long>(r), w);
      sums[0] += w;
      sums[1] += w > 0;
    }
  }
  collective_.sum(sums, 2, DType::f64, "weights");
  if (!(sums[0] > 0)) fail(Code::argument, "all %lld weights are zero", static_cast<long long>(n));
  *counting = sums[1];
  return sums[0];
}

StepResult Trainer::step(const View& x, const View& context, const View& weight) {
  if (variational_.needed() && !variational_.target())
    fail(Code::state, "objective \"%s\" needs a target: nf_trainer_set_target goes first",
         objective_fields()[0].choices[static_cast<size_t>(config_.objective.kind)]);
  if (averaged_) {
    use_average(false);
    parameters_changed();  // the mirror may be of the average, if somebody wrote a tensor meanwhile
  }
  const int64_t n = x.data ? x.shape[0] : 0;
  double counting = 0;
  const double total = n > 0 ? weigh(weight, n, &counting) : 0;
  if (waits_ && n > 0) {
    start_from_data(allocator_, executor_, model_, cut_, x, context, weight, collective_);
    parameters_changed();
  }
  need_lanes(n);
  const int64_t lanes = cut_.lanes(std::max(n, variational_.rows()));
  const double share = variational_.needed() ? config_.objective.data_weight : 1;
  Batch batch{x, context, weight, total / share, {}, doubles(row_loss_)};
  batch.random.seed = config_.seed;
  batch.random.step = step_;
  if (phased()) {
    for (int64_t r = 0; weight.data && r < n; ++r) doubles(row_weight_)[r] = scalar_at(weight, r);
    phases_.run(executor_, std::span(lanes_).first(static_cast<size_t>(lanes)), batch,
                weight.data ? doubles(row_weight_) : nullptr, counting, collective_);
  } else {
    if (variational_.needed()) variational_.begin(config_.seed, step_, context);
    executor_.parallel_for(static_cast<uint32_t>(lanes), [&](uint32_t i) { run_lane(*lanes_[i], i, lanes, batch); });
    if (variational_.needed() && variational_.sections() == 2) {
      variational_.weigh();
      executor_.parallel_for(static_cast<uint32_t>(lanes), [&](uint32_t i) {
        variational_.finish(*lanes_[i], i);
        lanes_[i]->end_step(model_.params());
      });
    }
  }
  double loss = 0, error = 0;
  if (n > 0) {
    for (int64_t r = 0; r < n; ++r) loss += doubles(row_loss_)[r];
    collective_.sum(&loss, 1, DType::f64, "loss");
    loss = loss / total * share;
    if (!std::isfinite(loss)) report_nonfinite(batch);
  }
  if (variational_.needed()) {
    const Variational::Loss of_samples = variational_.loss();
    loss += of_samples.value;
    error = of_samples.error;
    if (!std::isfinite(loss)) variational_.report(*lanes_[0], step_ + 1);
  }
  const double norm = sum_gradients(lanes);
  if (!std::isfinite(norm))
    fail(Code::numeric, "step %llu: the loss is %g but its gradient is not finite; the step is not applied",
         static_cast<unsigned long long>(step_ + 1), loss);
  const double lr = learning_rate(config_.schedule, config_.optimizer.lr, step_, plateau_);
  update(lr, norm_factor(norm, config_.clip.max_norm));
  if (phased()) phases_.observe();
  if (waits_ && n == 0) {
    keep_initial(model_);
    waits_ = false;
  }
  ++step_;
  return {step_, loss, error, norm, lr};
}

// Where values of a row stop being finite, when it is scored alone.
std::string Trainer::blame(Lane& lane, const Batch& batch, int64_t row) {
  Tape& t = lane.tape;
  const TapeScope scope(t);
  t.recording = t.training = false;
  Var x = load_rows(t, batch.x, row, 1);
  Var c = batch.context.data ? load_rows(t, batch.context, batch.context.shape[0] == 1 ? 0 : row, 1) : nullptr;
  std::string where = model_.first_nonfinite(lane.scope(), x, c);
  t.recording = t.training = true;
  return where;
}

void Trainer::report_nonfinite(const Batch& batch) {
  const int64_t n = batch.x.shape[0];
  const auto step = static_cast<unsigned long long>(step_ + 1);
  int64_t bad = 0, first = -1;
  for (int64_t r = 0; r < n; ++r) {
    if (std::isfinite(batch.row_loss[r])) continue;
    if (first < 0) first = r;
    ++bad;
  }
  if (first < 0)
    fail(Code::numeric, "step %llu: the loss of another rank is not finite; the step is not applied", step);
  lanes_[0]->begin_step();  // an empty tape
  std::string where = blame(*lanes_[0], batch, first);
  if (const Step* coupled = phased() ? phases_.not_finite() : nullptr) {
    // One row spoils the statistics, and so the loss, of all: one that is not finite by itself is to blame.
    for (int64_t r = 0; r < n; ++r) {
      if (batch.weight.data && scalar_at(batch.weight, r) == 0) continue;
      where = blame(*lanes_[0], batch, r);
      if (where != FlowModel::kAllFinite)
        fail(Code::numeric,
             "step %llu: row %lld is not finite at %s, nor are the statistics at %s then; the step is not applied",
             step, static_cast<long long>(r), where.c_str(), coupled->where.c_str());
    }
    fail(Code::numeric, "step %llu: the statistics of the batch at %s are not finite; the step is not applied", step,
         coupled->where.c_str());
  }
  fail(Code::numeric,
       "step %llu: the loss of row %lld (%lld row%s in all) is not finite; first at %s; the step is not applied", step,
       static_cast<long long>(first), static_cast<long long>(bad), bad == 1 ? "" : "s", where.c_str());
}

std::vector<std::pair<std::string, View>> Trainer::state_tensors() const {
  std::vector<std::pair<std::string, View>> all;
  for (size_t i = 0; i < slots_.size(); ++i)
    all.emplace_back(slot_name(config_.optimizer, static_cast<int>(i)),
                     contiguous_view(slots_[i].data(), model_.dtype(), {model_.params().trainable_size()}));
  if (average_.data())
    all.emplace_back("average", contiguous_view(average_.data(), model_.dtype(), {model_.params().trainable_size()}));
  return all;
}

void Trainer::restore_state(uint64_t step, const PlateauState& plateau, const BatchCut& cut) {
  if (cut != cut_) {  // lanes are made anew for it
    cut_ = cut;
    variational_.set_cut(cut);
    lanes_.clear();
    arena_rows_ = arena_samples_ = 0;
  }
  step_ = step;
  plateau_ = plateau;
  averaged_ = false;
  parameters_changed();
}

}  // namespace nf
