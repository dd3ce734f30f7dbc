#include "src/objective/phases.h"

#include <cmath>

#include "runtime/op/ops.h"
#include "src/model/rows.h"
#include "src/model/segment.h"

namespace libnf {

bool couples_rows(const Density& model) {
  if (!model.flow()) return false;
  for (const LayerInstance& s : model.flow()->layers())
    if (s.layer->couples_rows() && !s.inverted) return true;
  return false;
}

Phases::Phases(const ObjectiveScope& scope)
    : RowObjective(scope), flow_(*scope.model.flow()), sums_(scope.allocator, scope.model.columns()) {
  bool trained = false;
  for (size_t i = 0; i < flow_.layers().size(); ++i) {
    const LayerInstance& instance = flow_.layers()[i];
    if (instance.layer->couples_rows() && !instance.inverted) {
      coupled_.push_back(i);
      trained_before_.push_back(trained);
    }
    for (ParamId p = instance.first; p < instance.first + instance.count; ++p)
      trained |= model().params().slots()[static_cast<size_t>(p)].trainable;
  }
  const int64_t each = checked_add(checked_mul(4, model().columns()), 1);
  shared_ = Buffer(scope.allocator,
                   static_cast<size_t>(checked_mul(static_cast<int64_t>(coupled_.size() * sizeof(double)), each)),
                   "statistics of batches");
}

size_t Phases::bytes() const { return RowObjective::bytes() + row_weight_.bytes() + shared_.bytes() + sums_.bytes(); }

// Makes room for the graph of all rows of a lane.
Room Phases::prepare(int64_t batch) {
  RowObjective::prepare(batch);
  const auto bytes = static_cast<size_t>(checked_mul(batch, sizeof(double)));
  if (row_weight_.bytes() < bytes) row_weight_ = Buffer(scope_.allocator, bytes, "weights of the rows");
  const auto lanes = static_cast<size_t>(scope_.cut.lanes(batch));
  if (work_.size() < lanes) work_.resize(lanes);
  for (Work& w : work_) w.parts.resize(coupled_.size());
  Room room;
  room.rows = scope_.cut.most_lane_rows(batch);
  room.keeps_graphs = true;
  return room;
}

void Phases::begin(Lane& lane, Work& w, const Batch& batch) const {
  w.log_det = nullptr;
  Block block;
  w.active = load_block(lane, batch, w.first, w.rows, &block);
  if (!w.active) std::fill_n(row_loss() + w.first, w.rows, 0.0);
  w.y = block.x;
  w.context = w.active ? flow_.layer_context(lane.scope(), block.context, w.rows) : nullptr;
  for (size_t k = 0; k < coupled_.size(); ++k)
    w.parts[k] = {stats(k), batch.weight.data ? row_weight_.as<double>() + w.first : nullptr, totals(k), nullptr};
}

// Runs through coupled layer k - 1, whose statistics are known, up to layer k; or to the end, and then backward.
void Phases::forward(Lane& lane, Work& w, const Batch& batch, size_t k, double* sums) {
  Tape& t = lane.tape();
  const auto take = [&](const Mapped& m) {
    w.y = m.y;
    if (m.log_det) w.log_det = w.log_det ? add(t, w.log_det, m.log_det) : m.log_det;
  };
  Scope s = lane.scope();
  if (k > 0) {
    s.batch = &w.parts[k - 1];
    take(apply_layer(s, flow_.layers()[coupled_[k - 1]], w.y, w.context, false));
    s.batch = nullptr;
  }
  const size_t first = k > 0 ? coupled_[k - 1] + 1 : 0;
  const bool last = k == coupled_.size();
  take(flow_.chain().part(s, first, last ? flow_.layers().size() : coupled_[k], w.y, w.context, scope_.memory));
  if (!last) {
    w.y = conform(t, w.y, Layout::rows);
    w.arrived = whole_rows(t, *w.y);
    column_sums(w.arrived, w.parts[k].weight, sums);
    return;
  }
  if (end(lane, batch, w.first, {w.y, w.log_det}, w.context)) gradient_until(lane, w, t.head(), k, sums);
}

Var Phases::log_prob_of(const Scope& s, const Mapped& results, Var context) const {
  const Base& base = flow_.base();
  Var lp = s.tape.training ? base.fitted_log_prob(s, results.y, context) : base.log_prob(s, results.y, context);
  return results.log_det ? add(s.tape, lp, results.log_det) : lp;
}

bool Phases::end(Lane& lane, const Batch& batch, int64_t first, const Mapped& results, Var context) {
  Var loss = scale(lane.tape(), log_prob_of(lane.scope(), results, context), -1);
  seed_losses(lane, batch, first, loss, batch.total_weight, row_loss());
  return loss->needs_grad;
}

// Runs the gradient from a node back to coupled layer k - 1, and sums what arrives there.
void Phases::gradient_until(Lane& lane, Work& w, Node* from, size_t k, double* sums) const {
  Node* stop = k > 0 ? w.parts[k - 1].node : nullptr;
  lane.tape().backward(from, stop);
  if (stop && stop->needs_grad) batch_grad_sums(lane.tape(), *stop, w.parts[k - 1].weight, sums);
}

Loss Phases::run(Lanes& lanes, const Batch& batch) {
  if (batch.counting < 2)
    fail(Code::argument, "%s needs at least 2 rows in a training batch (of weight above 0), this one has %g",
         flow_.layers()[coupled_[0]].where.c_str(), batch.counting);
  rows_ = batch.counting;
  const int64_t d = model().columns(), n = batch.rows(), count = lanes.count();
  for (int64_t r = 0; batch.weight.data && r < n; ++r) row_weight_.as<double>()[r] = scalar_at(batch.weight, r);
  const auto every_lane = [&](auto&& body) {
    lanes.each([&](Lane& lane) { body(lane, work_[static_cast<size_t>(lane.index())], sums_.clear(lane.index())); });
  };
  for (int64_t i = 0; i < count; ++i) {
    Work& w = work_[static_cast<size_t>(i)];
    w.first = lane_begin(n, i, count);
    w.rows = lane_begin(n, i + 1, count) - w.first;
  }
  const size_t stops = coupled_.size();
  for (size_t k = 0; k <= stops; ++k) {
    every_lane([&](Lane& lane, Work& w, double* sums) {
      if (k == 0) begin(lane, w, batch);
      if (w.active) forward(lane, w, batch, k, sums);
    });
    if (k == stops) break;
    sums_.finish(lanes.executor(), count, rows_, scope_.collective, shared(k), shared(k) + d,
                 [&](int64_t i, const double* mean, double* out) {
                   const Work& w = work_[static_cast<size_t>(i)];
                   if (w.active) column_deviations(w.arrived, w.parts[k].weight, mean, out);
                 });
  }
  for (size_t k = stops; k-- > 0 && trained_before_[k];) {
    sums_.total(count, 2 * d + 1, scope_.collective, "gradients of statistics", totals(k));
    every_lane([&](Lane& lane, Work& w, double* sums) {
      if (w.active) gradient_until(lane, w, w.parts[k].node, k, sums);
    });
  }
  return {loss(batch), 0};
}

// Runs one pass with meaningless statistics.
void Phases::measure(Lane& lane, const Room& room) {
  double zero;
  const Batch batch = batch_of_zeros(model(), room.rows, &zero);
  rows_ = 2;
  Work& w = work_[0];
  w.first = 0;
  w.rows = room.rows;
  begin(lane, w, batch);
  for (size_t k = 0; k <= coupled_.size(); ++k) forward(lane, w, batch, k, sums_.clear(0));
  for (size_t k = coupled_.size(); k-- > 0;) gradient_until(lane, w, w.parts[k].node, k, sums_.clear(0));
  row_nonfinite_at(lane, model(), batch, 0);
}

const LayerInstance* Phases::not_finite() const {
  for (size_t k = 0; k < coupled_.size(); ++k)
    for (int64_t j = 0; j < 2 * model().columns(); ++j)
      if (!std::isfinite(shared(k)[j])) return &flow_.layers()[coupled_[k]];
  return nullptr;
}

// One bad row makes the statistics, and so the loss, of all rows non-finite. Names a row that is not finite by itself.
void Phases::report(Lane& lane, const Batch& batch, uint64_t step) {
  const LayerInstance* coupled = not_finite();
  if (!coupled) RowObjective::report(lane, batch, step);
  for (int64_t r = 0; r < batch.rows(); ++r) {
    if (batch.weight.data && scalar_at(batch.weight, r) == 0) continue;
    const Density::Location at = row_nonfinite_at(lane, model(), batch, r);
    if (at.where != Density::kAllFinite)
      fail_at(Code::numeric, {batch.number(r), at.layer}, "%s, so the statistics at %s are not finite either; %s",
              Density::describe_nonfinite(batch.number(r), at.where).c_str(), coupled->where.c_str(),
              outcome(step).c_str());
  }
  fail_at(Code::numeric, {-1, coupled->index}, "the statistics of the batch at %s are not finite; %s",
          coupled->where.c_str(), outcome(step).c_str());
}

void Phases::applied() {
  for (size_t k = 0; k < coupled_.size(); ++k) flow_.layers()[coupled_[k]].layer->observe(model().params(), stats(k));
}

}  // namespace libnf
