#include "src/train/variational.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/layout.h"
#include "src/model/rows.h"

namespace nf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint32_t kStream = 1 << 16;  // apart from nf_sample with the same seed

double* doubles(const Buffer& b) { return b.as<double>(); }

}  // namespace

Variational::Variational(const Allocator& allocator, const FlowModel& model, const ObjectiveConfig& config,
                         Memory memory, const Collective& collective)
    : model_(model), config_(config), memory_(memory), collective_(collective) {
  check_fields(objective_fields(), config);
  if (!needed()) return;
  total_ = static_cast<double>(rows()) * collective.world;
  const auto make = [&](int64_t cols, int64_t size, const char* what) {
    return Buffer(allocator, static_cast<size_t>(checked_mul(checked_mul(rows(), cols), size)), what);
  };
  const int64_t size = size_of(model.dtype());
  x_ = make(model.event(), size, "samples of a step");
  grad_ = make(model.event(), size, "gradients of the target");
  log_p_ = make(1, size, "log densities of the target");
  log_q_ = make(1, sizeof(double), "log densities of samples");
  coefficient_ = make(1, sizeof(double), "coefficients of samples");
  work_.resize(kMaxLanes);
}

void Variational::set_cut(const BatchCut& cut) {
  cut_ = cut;
  for (Work& w : work_) w.drawn.reserve(static_cast<size_t>(cut_.most_lane_rows(rows()) / cut_.block_rows + 1));
}

void Variational::bind(void* mirror) {
  if (!config_.path_gradient) return;
  for (Work& w : work_) {
    w.frozen.resize(model_.params().slots().size());
    model_.params().bind(w.frozen.data(), nullptr, mirror);
  }
}

View Variational::rows_of(const Buffer& b, int64_t cols, int64_t first, int64_t rows) const {
  char* data = b.as<char>() + first * cols * size_of(model_.dtype());
  return contiguous_view(data, model_.dtype(), cols == 0 ? Dims{rows} : Dims{rows, cols});
}

void Variational::begin(uint64_t seed, uint64_t step, const View& context) {
  random_ = {};
  random_.seed = seed;
  random_.step = step;
  // Steps and ranks have 2^32 rows each.
  random_.first_row = static_cast<int64_t>(
      (step * static_cast<uint64_t>(collective_.world) + static_cast<uint64_t>(collective_.rank)) << 32);
  context_ = context;
  share_ = 1;
  if (config_.anneal_steps > 0)
    share_ = std::min(1.0, 0.01 + static_cast<double>(step) / static_cast<double>(config_.anneal_steps));
  std::fill_n(doubles(coefficient_), rows(), 1 / total_);
}

void Variational::set_random(Tape& t, int64_t first) const {
  t.random = random_;
  t.random.first_row += first;
  t.random.stream = kStream;
}

Var Variational::context_rows(Tape& t, int64_t first, int64_t rows) const {
  return context_.data ? load_rows(t, context_, context_.shape[0] == 1 ? 0 : first, rows) : nullptr;
}

void Variational::evaluate(int64_t first, int64_t rows) {
  View context = context_;
  if (context.data && context.shape[0] != 1) {
    context.data = static_cast<char*>(context.data) + first * context.stride[0] * size_of(context.dtype);
    context.shape[0] = rows;
  }
  const View log_p = contiguous_view(log_p_.as<char>() + first * size_of(model_.dtype()), model_.dtype(), {rows});
  const View grad = rows_of(grad_, model_.event(), first, rows);
  if (!measuring_) return target_->evaluate(rows_of(x_, model_.event(), first, rows), context, log_p, grad);
  std::memset(log_p.data, 0, static_cast<size_t>(rows * size_of(model_.dtype())));
  std::memset(grad.data, 0, static_cast<size_t>(grad.count() * size_of(model_.dtype())));
}

// log q at x as a function of x alone: its value, and its gradient times the coefficients into that of x.
void Variational::log_q_by_path(Lane& lane, Work& w, Var x, Var context, int64_t first) {
  Tape& t = lane.tape;
  const int64_t n = x->out.shape[0];
  with_dtype(t.dtype(), [&]<class T>() {
    const View gx = x->needs_grad ? t.grad(*x) : View{};  // before the mark, so that it stays
    const TapeScope scope(t);
    Var leaf = t.input(rows_of(x_, model_.event(), first, n), true);
    const Node* stop = t.head();
    Var lq = model_.log_prob({t, w.frozen.data()}, leaf, context, memory_);
    for (int64_t r = 0; r < n; ++r) doubles(log_q_)[first + r] = static_cast<double>(lq->out.as<T>()[r]);
    if (!gx.data || !lq->needs_grad) return;
    T* seed = t.grad(*lq).template as<T>();
    for (int64_t r = 0; r < n; ++r) seed[r] = static_cast<T>(doubles(coefficient_)[first + r]);
    t.backward(stop);
    const View g = t.grad_out(*leaf);
    if (g.data) for_runs<const T, T>(g, gx, [](const T* from, T* to, int64_t k) { kernel::accumulate(from, to, k); });
  });
}

Variational::Drawn Variational::draw_block(Lane& lane, Work& w, int64_t first, int64_t rows) {
  Tape& t = lane.tape;
  set_random(t, first);
  Var c = context_rows(t, first, rows);
  const auto drawn = model_.sample(lane.scope(), rows, c, !config_.path_gradient, memory_);
  store_rows(drawn.x, rows_of(x_, model_.event(), first, rows), 0);
  if (config_.path_gradient) {
    log_q_by_path(lane, w, drawn.x, c, first);
  } else {
    with_dtype(t.dtype(), [&]<class T>() {
      const T* lq = drawn.log_prob->out.as<T>();
      for (int64_t r = 0; r < rows; ++r) doubles(log_q_)[first + r] = static_cast<double>(lq[r]);
    });
  }
  return {drawn.x, drawn.log_prob, first};
}

// What arrives at x and log q of the block.
void Variational::seed_block(Lane& lane, const Drawn& d) {
  Tape& t = lane.tape;
  const int64_t n = d.x->out.shape[0], cols = model_.event();
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
      if (c[r] == 0) continue;  // where the density is 0 its gradient may be anything
      T* out = gx.as<T>() + r * gx.stride[0];
      bool finite = true;
      for (int64_t j = 0; j < cols; ++j) {
        finite &= std::isfinite(g[r * cols + j]);
        out[j * gx.stride[1]] -= static_cast<T>(share_ * c[r]) * g[r * cols + j];
      }
      if (!finite) doubles(log_q_)[d.first + r] = kUnknown;  // makes the loss NaN, and report() find the row
    }
  });
}

void Variational::draw_rows(Lane& lane, Work& w, int64_t first, int64_t end) {
  const int64_t block = cut_.block_rows;
  if (keeps_graphs()) {
    // The last block first, so that the way back takes them in the order that the other way has.
    w.drawn.clear();
    for (int64_t blocks = (end - first + block - 1) / block; blocks-- > 0;) {
      const int64_t at = first + blocks * block, rows = std::min(block, end - at);
      w.drawn.push_back(draw_block(lane, w, at, rows));
      if (target_->anywhere()) evaluate(at, rows);
    }
    return;
  }
  for (; first < end; first += block) {
    const int64_t rows = std::min(block, end - first);
    const TapeScope scope(lane.tape);
    const Drawn d = draw_block(lane, w, first, rows);
    evaluate(first, rows);
    seed_block(lane, d);
    lane.tape.backward();
  }
}

void Variational::draw(Lane& lane, int64_t index, int64_t lanes) {
  draw_rows(lane, work_[static_cast<size_t>(index)], lane_begin(rows(), index, lanes),
            lane_begin(rows(), index + 1, lanes));
}

double Variational::row_loss(int64_t r) const {
  const double log_p = with_dtype(model_.dtype(), [&]<class T>() { return static_cast<double>(log_p_.as<T>()[r]); });
  return doubles(log_q_)[r] - share_ * log_p;
}

// c_r = (p~/q)^(1 - a) over its sum: a softmax over all rows of all ranks.
void Variational::alpha_coefficients() {
  const double power = 1 - config_.renyi_alpha;
  double* c = doubles(coefficient_);
  const int64_t n = rows();
  if (power == 0) return;  // reverse_kl: the coefficients are there
  double high = -kInfinity;
  for (int64_t r = 0; r < n; ++r) {
    c[r] = -power * row_loss(r);
    if (!(c[r] <= high)) high = c[r];  // a NaN stays one
  }
  if (collective_.world > 1) {  // the maximum, by a sum
    std::vector<double> highs(static_cast<size_t>(collective_.world));
    highs[static_cast<size_t>(collective_.rank)] = high;
    collective_.sum(highs.data(), collective_.world, DType::f64, "weights of samples");
    for (const double h : highs)
      if (!(h <= high)) high = h;
  }
  double sums[2] = {0, 0};
  for (int64_t r = 0; r < n; ++r) {
    c[r] = std::exp(c[r] - high);
    sums[0] += c[r];
    sums[1] += c[r] * c[r];
  }
  collective_.sum(sums, 2, DType::f64, "weights of samples");
  for (int64_t r = 0; r < n; ++r) c[r] /= sums[0];
  log_mean_ = high + std::log(sums[0] / total_);
  relative_error_ = std::sqrt(std::max(0.0, total_ * sums[1] / (sums[0] * sums[0]) - 1) / std::max(1.0, total_ - 1));
}

void Variational::weigh() {
  if (!target_->anywhere()) evaluate(0, rows());
  if (config_.kind == ObjectiveKind::alpha) alpha_coefficients();
}

void Variational::finish(Lane& lane, int64_t index) {
  for (const Drawn& d : work_[static_cast<size_t>(index)].drawn) seed_block(lane, d);
  lane.tape.backward();
}

Variational::Loss Variational::loss() {
  const int64_t n = rows();
  const double power = 1 - config_.renyi_alpha;
  if (config_.kind == ObjectiveKind::alpha && power != 0) {
    // A gradient of the target that is not finite shows in log_q; what it weighs does not matter.
    for (int64_t r = 0; r < n; ++r)
      if (std::isnan(doubles(log_q_)[r])) return {kUnknown, kUnknown};
    return {-log_mean_ / power, relative_error_ / std::abs(power)};
  }
  double sum = 0, squares = 0;
  for (int64_t r = 0; r < n; ++r) sum += row_loss(r);
  collective_.sum(&sum, 1, DType::f64, "loss");
  const double mean = sum / total_;
  for (int64_t r = 0; r < n; ++r) squares += (row_loss(r) - mean) * (row_loss(r) - mean);
  collective_.sum(&squares, 1, DType::f64, "spread of the loss");
  return {mean, total_ > 1 ? std::sqrt(squares / (total_ - 1) / total_) : 0};
}

// Where values of a row stop being finite when it is drawn alone.
std::string Variational::blame(Lane& lane, int64_t row) {
  Tape& t = lane.tape;
  lane.begin_step();
  t.recording = t.training = false;
  set_random(t, row);
  Var c = context_rows(t, row, 1);
  Var z = model_.sample(lane.scope(), 1, c, false).z;
  std::string where = model_.first_nonfinite(lane.scope(), z, c, true);
  t.recording = t.training = true;
  return where;
}

void Variational::report(Lane& lane, uint64_t step) {
  const auto number = static_cast<unsigned long long>(step);
  const int64_t d = model_.event();
  for (int64_t r = 0; r < rows(); ++r) {
    const auto row = static_cast<long long>(r);
    const double loss = row_loss(r);
    const bool weightless = config_.kind == ObjectiveKind::alpha && config_.renyi_alpha < 1 && loss == kInfinity;
    if (std::isfinite(loss) || weightless) continue;
    const std::string where = blame(lane, r);
    if (where != FlowModel::kAllFinite)
      fail(Code::numeric, "step %llu: sample %lld is not finite at %s; the step is not applied", number, row,
           where.c_str());
    const double log_p = with_dtype(model_.dtype(), [&]<class T>() { return double(log_p_.as<T>()[r]); });
    if (!std::isfinite(log_p))
      fail(Code::numeric, "step %llu: the target's log density of sample %lld is %g%s; the step is not applied", number,
           row, log_p,
           log_p == -kInfinity ? " (its density is 0 where the flow samples: give it a soft edge, bound the flow by a "
                                 "layer or base, or take objective \"alpha\")"
                               : "");
    const bool finite = with_dtype(
        model_.dtype(), [&]<class T>() { return kernel::all_finite(rows_of(grad_, d, r, 1).template as<T>(), d); });
    fail(Code::numeric, "step %llu: %s of sample %lld is not finite; the step is not applied", number,
         finite ? "the model's log density" : "the target's gradient", row);
  }
  fail(Code::numeric,
       "step %llu: the loss is not finite (the density of the target is 0 at every sample, or samples of another rank "
       "are not finite); the step is not applied",
       number);
}

int64_t Variational::rows_held() const {
  if (!needed()) return 0;
  return keeps_graphs() ? cut_.most_lane_rows(rows()) : std::min(rows(), cut_.block_rows);
}

void Variational::measure(Lane& lane) {
  double zero = 0;
  View context;
  if (model_.context()) context = contiguous_view(&zero, DType::f64, {1, model_.context()});
  context.stride[1] = 0;
  begin(0, 0, context);
  measuring_ = true;
  lane.begin_step();
  draw_rows(lane, work_[0], 0, rows_held());
  if (keeps_graphs()) {
    evaluate(0, rows_held());
    finish(lane, 0);
  }
  measuring_ = false;
  blame(lane, 0);
}

}  // namespace nf
