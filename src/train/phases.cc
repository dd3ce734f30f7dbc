#include "src/train/phases.h"

#include <cmath>

#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "src/model/segment.h"

namespace nf {

Phases::Phases(const Allocator& allocator, const FlowModel& model, Memory memory)
    : model_(model), memory_(memory), sums_(allocator, 0) {
  bool trained = false;
  for (size_t i = 0; i < model.steps().size(); ++i) {
    const Step& step = model.steps()[i];
    if (step.layer->couples_rows() && !step.inverted) {
      coupled_.push_back(i);
      trained_before_.push_back(trained);
    }
    for (ParamId p = step.first; p < step.first + step.count; ++p)
      trained |= model.params().slots()[static_cast<size_t>(p)].trainable;
  }
  if (!needed()) return;
  sums_ = LaneSums(allocator, model.event());
  const int64_t each = checked_add(checked_mul(4, model.event()), 1);
  shared_ =
      Buffer(allocator, static_cast<size_t>(checked_mul(static_cast<int64_t>(coupled_.size() * sizeof(double)), each)),
             "statistics of batches");
  work_.resize(kMaxLanes);
  for (Work& w : work_) w.parts.resize(coupled_.size());
}

ColumnStats Phases::stats(size_t k) const { return {rows_, model_.event(), shared(k), shared(k) + model_.event()}; }

void Phases::begin(Lane& lane, Work& w, const Batch& batch, const double* row_weight) const {
  lane.begin_step();
  w.log_det = nullptr;
  w.active = lane.load(batch, w.first, w.rows, &w.y, &w.context);
  if (w.active) w.context = model_.seen(lane.scope(), w.context, w.rows);
  for (size_t k = 0; k < coupled_.size(); ++k)
    w.parts[k] = {stats(k), row_weight ? row_weight + w.first : nullptr, totals(k), nullptr};
}

// Through coupled layer k - 1, whose statistics are there, up to layer k, or to the end and back again.
void Phases::forward(Lane& lane, Work& w, const Batch& batch, size_t k, double* sums) const {
  Tape& t = lane.tape;
  const auto take = [&](const Mapped& m) {
    w.y = m.y;
    if (m.log_det) w.log_det = w.log_det ? add(t, w.log_det, m.log_det) : m.log_det;
  };
  Scope s = lane.scope();
  if (k > 0) {
    s.batch = &w.parts[k - 1];
    take(apply_step(s, model_.steps()[coupled_[k - 1]], w.y, w.context, false));
    s.batch = nullptr;
  }
  const size_t first = k > 0 ? coupled_[k - 1] + 1 : 0;
  const bool last = k == coupled_.size();
  take(model_.part(s, first, last ? model_.steps().size() : coupled_[k], w.y, w.context, memory_));
  if (!last) {
    w.y = conform(t, w.y, Layout::rows);
    column_sums(w.y->out, w.parts[k].weight, sums);
    return;
  }
  Var lp = model_.base().log_prob(s, w.y, w.context);
  if (w.log_det) lp = add(t, lp, w.log_det);
  lane.seed(batch, w.first, lp);
  if (lp->needs_grad) gradient_until(lane, w, t.head(), k, sums);
}

// The gradient from a node down to coupled layer k - 1, and the sums of what arrives there.
void Phases::gradient_until(Lane& lane, Work& w, Node* from, size_t k, double* sums) const {
  Node* stop = k > 0 ? w.parts[k - 1].node : nullptr;
  lane.tape.backward(from, stop);
  if (stop && stop->needs_grad) batch_grad_sums(lane.tape, *stop, w.parts[k - 1].weight, sums);
}

void Phases::run(Executor& executor, std::span<const std::unique_ptr<Lane>> lanes, const Batch& batch,
                 const double* row_weight, double rows, const Collective& collective) {
  if (rows < 2)
    fail(Code::argument, "%s needs at least 2 rows in a training batch (of weight above 0), this one has %g",
         model_.steps()[coupled_[0]].where.c_str(), rows);
  rows_ = rows;
  const int64_t d = model_.event(), n = batch.x.shape[0], count = static_cast<int64_t>(lanes.size());
  const auto every_lane = [&](auto&& body) {
    executor.parallel_for(static_cast<uint32_t>(count), [&](uint32_t i) { body(*lanes[i], work_[i], sums_.clear(i)); });
  };
  for (int64_t i = 0; i < count; ++i) {
    Work& w = work_[static_cast<size_t>(i)];
    w.first = lane_begin(n, i, count);
    w.rows = lane_begin(n, i + 1, count) - w.first;
  }
  const size_t stops = coupled_.size();
  for (size_t k = 0; k <= stops; ++k) {
    every_lane([&](Lane& lane, Work& w, double* sums) {
      if (k == 0) begin(lane, w, batch, row_weight);
      if (w.active) forward(lane, w, batch, k, sums);
    });
    if (k == stops) break;
    sums_.finish(executor, count, rows, collective, shared(k), shared(k) + d,
                 [&](int64_t i, const double* mean, double* out) {
                   const Work& w = work_[static_cast<size_t>(i)];
                   if (w.active) column_deviations(w.y->out, w.parts[k].weight, mean, out);
                 });
  }
  for (size_t k = stops; k-- > 0 && trained_before_[k];) {
    sums_.total(count, 2 * d + 1, collective, "gradients of statistics", totals(k));
    every_lane([&](Lane& lane, Work& w, double* sums) {
      if (w.active) gradient_until(lane, w, w.parts[k].node, k, sums);
    });
  }
  every_lane([&](Lane& lane, Work&, double*) { lane.end_step(model_.params()); });
}

void Phases::measure(Lane& lane, const Batch& batch) {
  rows_ = 2;
  Work& w = work_[0];
  w.first = 0;
  w.rows = batch.x.shape[0];
  begin(lane, w, batch, nullptr);
  for (size_t k = 0; k <= coupled_.size(); ++k) forward(lane, w, batch, k, sums_.clear(0));
  for (size_t k = coupled_.size(); k-- > 0;) gradient_until(lane, w, w.parts[k].node, k, sums_.clear(0));
}

const Step* Phases::not_finite() const {
  for (size_t k = 0; k < coupled_.size(); ++k)
    for (int64_t j = 0; j < 2 * model_.event(); ++j)
      if (!std::isfinite(shared(k)[j])) return &model_.steps()[coupled_[k]];
  return nullptr;
}

void Phases::observe() const {
  for (size_t k = 0; k < coupled_.size(); ++k) model_.steps()[coupled_[k]].layer->observe(model_.params(), stats(k));
}

}  // namespace nf
