#include "src/objective/target_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint32_t kStream = 1 << 16;  // separate from nf_sample with the same seed

double* doubles(const Buffer& b) { return b.as<double>(); }

}  // namespace

void SamplerConfig::fields(Fields& f) {
  f.integer("samples", "rows drawn from the model in a step with a target", samples, 1, 1 << 24);
  f.integer("anneal_steps",
            "steps over which the weight of the target's log density rises from 0.01 to 1, so that distant modes are "
            "found (Rezende and Mohamed 2015, eq. 20); 0: no annealing",
            anneal_steps, 0, int64_t{1'000'000'000'000});
}

void SamplerConfig::path_field(Fields& f) {
  f.flag("path_gradient",
         "omit the part of the gradient whose expectation is 0 (Roeder et al. 2017): no noise where q = p; costs a "
         "pass from data to latent; not possible with dropout. Splines then want min_bin_width and min_bin_height of a "
         "quarter of 1/bins and min_derivative 0.05, which nf fit-target sets: steeper edges are never sampled",
         path_gradient);
}

TargetSampler::TargetSampler(const ObjectiveScope& scope, const SamplerConfig& config, bool weighs_all)
    : scope_(scope),
      model_(scope.model),
      config_(config),
      weighs_all_(weighs_all),
      total_(static_cast<double>(config.samples) * scope.collective.world) {
  const auto make = [&](int64_t cols, int64_t size, const char* what) {
    return Buffer(scope.allocator, static_cast<size_t>(checked_mul(checked_mul(rows(), cols), size)), what);
  };
  const int64_t size = size_of(model_.dtype());
  x_ = make(model_.columns(), size, "samples of a step");
  grad_ = make(model_.columns(), size, "gradients of the target");
  log_p_ = make(1, sizeof(double), "log densities of the target");
  log_q_ = make(1, sizeof(double), "log densities of samples");
  coefficient_ = make(1, sizeof(double), "coefficients of samples");
}

Room TargetSampler::prepare(const Target& target, int64_t batch) {
  target_ = &target;
  const BatchCut& cut = scope_.cut;
  const auto lanes = static_cast<size_t>(cut.lanes(std::max(batch, rows())));
  const auto blocks = static_cast<size_t>(cut.most_lane_rows(rows()) / cut.block_rows + 1);
  Room room;
  room.keeps_graphs = keeps_graphs();
  room.samples = room.keeps_graphs ? cut.most_lane_rows(rows()) : std::min(rows(), cut.block_rows);
  room.constants = config_.path_gradient;
  if (work_.size() < lanes) work_.resize(lanes);
  for (Work& w : work_) w.reserve(blocks);
  return room;
}

void TargetSampler::measure(Lane& lane, const Room& room) {
  double zero = 0;
  View context;
  if (model_.context()) context = contiguous_view(&zero, DType::f64, {1, model_.context()});
  context.stride[1] = 0;
  Batch batch;
  batch.context = context;
  begin(batch, *target_);
  measuring_ = true;
  {
    const TapeScope scope(lane.tape());
    draw_rows(lane, work_[0], 0, room.samples);
    if (keeps_graphs()) {
      evaluate(0, room.samples);
      finish(lane);
    }
  }
  measuring_ = false;
  sample_nonfinite_at(lane, 0);
}

View TargetSampler::rows_of(const Buffer& b, int64_t cols, int64_t first, int64_t rows) const {
  char* data = b.as<char>() + first * cols * size_of(model_.dtype());
  return contiguous_view(data, model_.dtype(), cols == 0 ? Dims{rows} : Dims{rows, cols});
}

void TargetSampler::begin(const Batch& batch, const Target& target) {
  target_ = &target;
  const uint64_t step = batch.random.step;
  random_ = {};
  random_.seed = batch.random.seed;
  random_.step = step;
  // Each (step, rank) has 2^32 rows of its own.
  random_.first_row = static_cast<int64_t>(
      (step * static_cast<uint64_t>(scope_.collective.world) + static_cast<uint64_t>(scope_.collective.rank)) << 32);
  context_ = batch.context;
  share_ = 1;
  if (config_.anneal_steps > 0)
    share_ = std::min(1.0, 0.01 + static_cast<double>(step) / static_cast<double>(config_.anneal_steps));
  std::fill_n(doubles(coefficient_), rows(), 1 / total_);
}

void TargetSampler::set_random(Tape& t, int64_t first) const {
  t.random = random_;
  t.random.first_row += first;
  t.random.stream = kStream;
}

Var TargetSampler::context_rows(Tape& t, int64_t first, int64_t rows) const {
  return model_.load_context(t, context_, first, rows);
}

void TargetSampler::evaluate(int64_t first, int64_t rows) {
  View context = context_;
  if (context.data && context.shape[0] != 1) {
    context.data = static_cast<char*>(context.data) + first * context.stride[0] * size_of(context.dtype);
    context.shape[0] = rows;
  }
  const View log_p = contiguous_view(doubles(log_p_) + first, DType::f64, {rows});
  const View grad = rows_of(grad_, model_.columns(), first, rows);
  if (!measuring_) return target_->evaluate(rows_of(x_, model_.columns(), first, rows), context, log_p, grad);
  std::fill_n(doubles(log_p_) + first, rows, 0.0);
  std::memset(grad.data, 0, static_cast<size_t>(grad.count() * size_of(model_.dtype())));
}

// Computes log q at x as a function of x alone, and adds its gradient times the coefficients to the gradient of x.
void TargetSampler::log_q_by_path(Lane& lane, Var x, Var context, int64_t first) {
  Tape& t = lane.tape();
  const int64_t n = x->out.shape[0];
  with_dtype(t.dtype(), [&]<class T>() {
    const View gx = x->needs_grad ? t.grad(*x) : View{};  // taken before the mark, so it survives the rewind
    const TapeScope scope(t);
    Var leaf = t.input(rows_of(x_, model_.columns(), first, n), true);
    const Node* stop = t.head();
    Var lq = model_.log_prob(lane.constants(), leaf, context, scope_.memory);
    for (int64_t r = 0; r < n; ++r) doubles(log_q_)[first + r] = static_cast<double>(lq->out.as<T>()[r]);
    if (!gx.data || !lq->needs_grad) return;
    T* seed = t.grad(*lq).template as<T>();
    for (int64_t r = 0; r < n; ++r) seed[r] = static_cast<T>(doubles(coefficient_)[first + r]);
    t.backward(stop);
    const View g = t.grad_out(*leaf);
    if (g.data) for_runs<const T, T>(g, gx, [](const T* from, T* to, int64_t k) { kernel::accumulate(from, to, k); });
  });
}

TargetSampler::Drawn TargetSampler::draw_block(Lane& lane, int64_t first, int64_t rows) {
  Tape& t = lane.tape();
  set_random(t, first);
  Var c = context_rows(t, first, rows);
  const auto drawn = model_.sample(lane.scope(), rows, c, !config_.path_gradient, scope_.memory);
  store_rows(drawn.x, rows_of(x_, model_.columns(), first, rows), 0);
  if (config_.path_gradient) {
    log_q_by_path(lane, drawn.x, c, first);
  } else {
    with_dtype(t.dtype(), [&]<class T>() {
      const T* lq = drawn.log_prob->out.as<T>();
      for (int64_t r = 0; r < rows; ++r) doubles(log_q_)[first + r] = static_cast<double>(lq[r]);
    });
  }
  return {drawn.x, drawn.log_prob, first};
}

// Seeds the gradients of x and log q of the block.
void TargetSampler::seed_block(Lane& lane, const Drawn& d) {
  Tape& t = lane.tape();
  const int64_t n = d.x->out.shape[0], cols = model_.columns();
  const double* c = doubles(coefficient_) + d.first;
  with_dtype(t.dtype(), [&]<class T>() {
    if (d.log_q && d.log_q->needs_grad) {
      T* seed = t.grad(*d.log_q).template as<T>();
      for (int64_t r = 0; r < n; ++r) seed[r] += static_cast<T>(c[r]);
    }
    if (!d.x->needs_grad) return;
    const View gx = t.grad(*d.x);
    const T* g = rows_of(grad_, cols, d.first, n).template as<T>();
    for (int64_t r = 0; r < n; ++r) {
      if (c[r] == 0) continue;  // where the density is 0, its gradient is unspecified
      T* out = gx.as<T>() + r * gx.stride[0];
      bool finite = true;
      for (int64_t j = 0; j < cols; ++j) {
        finite &= std::isfinite(g[r * cols + j]);
        out[j * gx.stride[1]] -= static_cast<T>(share_ * c[r]) * g[r * cols + j];
      }
      if (!finite) doubles(log_q_)[d.first + r] = kUnknown;  // makes the loss NaN, so that report() finds the row
    }
  });
}

void TargetSampler::draw_rows(Lane& lane, Work& w, int64_t first, int64_t end) {
  const int64_t block = scope_.cut.block_rows;
  if (keeps_graphs()) {
    // The last block is drawn first, so the backward pass visits blocks in the same order as the mode without graphs.
    w.clear();
    for (int64_t blocks = (end - first + block - 1) / block; blocks-- > 0;) {
      const int64_t at = first + blocks * block, rows = std::min(block, end - at);
      w.push_back(draw_block(lane, at, rows));
      if (target_->thread_safe()) evaluate(at, rows);
    }
    return;
  }
  for (; first < end; first += block) {
    const int64_t rows = std::min(block, end - first);
    const TapeScope scope(lane.tape());
    const Drawn d = draw_block(lane, first, rows);
    evaluate(first, rows);
    seed_block(lane, d);
    lane.tape().backward();
  }
}

void TargetSampler::draw(Lane& lane) {
  draw_rows(lane, work_[static_cast<size_t>(lane.index())], lane.begin(rows()), lane.end(rows()));
}

double TargetSampler::log_ratio(int64_t r) const { return doubles(log_q_)[r] - share_ * doubles(log_p_)[r]; }

void TargetSampler::finish(Lane& lane) {
  for (const Drawn& d : work_[static_cast<size_t>(lane.index())]) seed_block(lane, d);
  lane.tape().backward();
}

// The standard error assumes independent rows.
Loss TargetSampler::mean_log_ratio() const {
  const int64_t n = rows();
  double sum = 0, squares = 0;
  for (int64_t r = 0; r < n; ++r) sum += log_ratio(r);
  scope_.collective.sum(&sum, 1, DType::f64, "loss");
  const double mean = sum / total_;
  for (int64_t r = 0; r < n; ++r) squares += (log_ratio(r) - mean) * (log_ratio(r) - mean);
  scope_.collective.sum(&squares, 1, DType::f64, "spread of the loss");
  return {mean, total_ > 1 ? std::sqrt(squares / (total_ - 1) / total_) : 0};
}

// Draws a row alone and returns where its values stop being finite.
Density::Location TargetSampler::sample_nonfinite_at(Lane& lane, int64_t row) {
  Tape& t = lane.tape();
  const TapeScope scope(t);
  t.recording = t.training = false;
  set_random(t, row);
  Var c = context_rows(t, row, 1);
  Var z = model_.sample(lane.scope(), 1, c, false).z;
  Density::Location where = model_.first_nonfinite(lane.scope(), z, c, true);
  t.recording = t.training = true;
  return where;
}

void TargetSampler::report(Lane& lane, uint64_t step, bool ignore_zero_density) {
  const auto number = static_cast<unsigned long long>(step);
  const int64_t d = model_.columns();
  for (int64_t r = 0; r < rows(); ++r) {
    const auto row = static_cast<long long>(r);
    const double loss = log_ratio(r);
    if (std::isfinite(loss) || (ignore_zero_density && loss == kInfinity)) continue;
    const Density::Location at = sample_nonfinite_at(lane, r);
    if (at.where != Density::kAllFinite)
      fail_at(Code::numeric, {r, at.layer}, "sample %lld is not finite at %s; step %llu was not applied", row,
              at.where.c_str(), number);
    const double log_p = doubles(log_p_)[r];
    if (!std::isfinite(log_p))
      fail_at(Code::numeric, {r, -1}, "the target's log density of sample %lld is %g%s; step %llu was not applied", row,
              log_p,
              log_p == -kInfinity
                  ? " (its density is 0 where the flow samples: give it a soft edge, bound the flow by a "
                    "layer or base, or take objective \"alpha\")"
                  : "",
              number);
    const bool finite = with_dtype(
        model_.dtype(), [&]<class T>() { return kernel::all_finite(rows_of(grad_, d, r, 1).template as<T>(), d); });
    fail_at(Code::numeric, {r, -1}, "%s of sample %lld is not finite; step %llu was not applied",
            finite ? "the model's log density" : "the target's gradient", row, number);
  }
  fail(Code::numeric,
       "the loss is not finite (the density of the target is 0 at every sample, or samples of another rank are not "
       "finite); step %llu was not applied",
       number);
}

}  // namespace libnf
