// Fisher divergence on rows x with given scores g = grad log p(x): the mean of |r|^2, where
//   r = grad_z [ <g, x(z)> - log q(x(z)) ]   at z = f(x), g held constant.
// <g, x(z)> has the gradient J^T g with J = dx/dz, and log q(x(z)) = log b(z) - log |det J|, so
//   r = (J^T g + grad_z log |det J|) - grad_z log b(z):
// the score of p pulled back to the latents, minus the score of the base b. With a standard normal base that is
// z + pulled-back score, as nutpie fits its flows before sampling. r = 0 for every row when q = p; p need not be
// normalized.
//
// Gradient: with h(z, theta) = <g, x(z)> - log q(x(z)) and D_v the derivative along v in z,
//   d |r|^2 / d theta = 2 r . d/dtheta grad_z h(f(x), theta) = 2 d/dtheta D_r h(f(x), theta),   r held constant:
// reverse over forward. D_r h has the value |r|^2 itself, so 2 D_r h - |r|^2, with the second term constant, is a loss
// of the row with the right value and the right gradient. Every op of the flow's inverse and of the base needs a
// tangent rule. Dropout is off.
#include <algorithm>
#include <cmath>

#include "runtime/core/rows.h"
#include "runtime/op/ops.h"
#include "src/model/flow_model.h"
#include "src/model/rows.h"
#include "src/objective/phases.h"

namespace libnf {
namespace {

// Turns dropout off for a scope, because the inverse pass must use the same net as the forward pass.
class NoDropout {
 public:
  explicit NoDropout(Tape& t) : tape_(t), was_(t.training) { t.training = false; }
  ~NoDropout() { tape_.training = was_; }
  NoDropout(const NoDropout&) = delete;
  NoDropout& operator=(const NoDropout&) = delete;

 private:
  Tape& tape_;
  const bool was_;
};

class Fisher final : public RowObjective {
 public:
  using Config = NoConfig;
  Fisher(const Config&, const ObjectiveScope& s);
  void check(const Batch& batch) const override;
  Room prepare(int64_t batch) override;
  void measure(Lane& lane, const Room& room) override;
  Loss run(Lanes& lanes, const Batch& batch) override;
  Var losses(Lane& lane, const Block& block) override;
  void report(Lane& lane, const Batch& batch, uint64_t step) override;
  size_t bytes() const override { return RowObjective::bytes() + rows_.bytes() + scores_.bytes() + log_p_.bytes(); }

 private:
  Batch complete(const Batch& batch) override;
  Batch with_scores(const Batch& batch);
  Var scores_of(Lane& lane, const Block& block) const;
  Var h(const Scope& s, Var z, Var context, Var scores) const;

  const FlowModel& flow_;
  Batch scored_;                  // batch of the last step, with its scores
  Buffer rows_, scores_, log_p_;  // of the batch, for a target of the host
};

const FlowModel& flow_of(const Density& model) {
  if (!model.flow())
    fail(Code::unsupported, "objective \"fisher\" trains flows only: this model has no latents for rows");
  return *model.flow();
}

Fisher::Fisher(const Config&, const ObjectiveScope& s) : RowObjective(s), flow_(flow_of(s.model)) {
  if (couples_rows(s.model))
    fail(Code::unsupported, "objective \"fisher\" does not train layers that couple rows (batch_norm): use actnorm");
}

void Fisher::check(const Batch& batch) const {
  if (!batch.scores.data) Objective::check(batch);
}

Room Fisher::prepare(int64_t batch) {
  Room room = RowObjective::prepare(batch);
  room.constants = true;
  if (!target_ || target_->thread_safe()) return room;
  const auto fit = [&](Buffer& b, int64_t row_bytes, const char* what) {
    const auto bytes = static_cast<size_t>(checked_mul(batch, row_bytes));
    if (b.bytes() < bytes) b = Buffer(scope_.allocator, bytes, what);
  };
  const int64_t row_bytes = model().columns() * size_of(model().dtype());
  fit(rows_, row_bytes, "rows of a step");
  fit(scores_, row_bytes, "scores of the rows");
  fit(log_p_, sizeof(double), "log densities of the target");
  return room;
}

void Fisher::measure(Lane& lane, const Room& room) {
  try {
    RowObjective::measure(lane, room);
  } catch (const Error& e) {
    if (e.code() != Code::unsupported) throw;
    fail(e.code(), "objective \"fisher\" cannot train this model: %s", e.what());
  }
}

// Evaluates a target of the host once for all rows.
Batch Fisher::with_scores(const Batch& batch) {
  Batch b = batch;
  if (b.scores.data || target_->thread_safe()) return b;
  const DType dtype = model().dtype();
  const Dims shape{b.rows(), model().columns()};
  const View rows = contiguous_view(rows_.data(), dtype, shape);
  copy_rows(b.x, rows);
  b.scores = contiguous_view(scores_.data(), dtype, shape);
  target_->evaluate(rows, b.context, contiguous_view(log_p_.data(), DType::f64, {b.rows()}), b.scores);
  return b;
}

Batch Fisher::complete(const Batch& batch) { return scored_ = with_scores(batch); }

Loss Fisher::run(Lanes& lanes, const Batch& batch) { return RowObjective::run(lanes, complete(batch)); }

Var Fisher::scores_of(Lane& lane, const Block& b) const {
  if (b.scores) return b.scores;
  Tape& t = lane.tape();
  const int64_t n = b.x->out.shape[0];
  Var scores = t.zeros(b.x->out.shape);
  const View log_p = contiguous_view(t.scratch<double>(n), DType::f64, {n});
  if (t.measuring) return scores;
  target_->evaluate(b.x->out, b.context ? b.context->out : View{}, log_p, scores->out);
  return scores;
}

Var Fisher::h(const Scope& s, Var z, Var context, Var scores) const {
  const Mapped back = flow_.chain().run(s, true, z, context, scope_.memory);
  Var log_q = flow_.base().log_prob(s, z, context);
  if (back.log_det) log_q = sub(s.tape, log_q, back.log_det);
  return sub(s.tape, row_dot(s.tape, scores, back.y), log_q);
}

Var Fisher::losses(Lane& lane, const Block& b) {
  Tape& t = lane.tape();
  const NoDropout scope(t);
  const Scope s = lane.scope(), fixed = lane.constants();
  Var scores = scores_of(lane, b);
  Var context = flow_.layer_context(s, b.context, b.x->out.shape[0]);
  Var z = flow_.chain().run(s, false, b.x, context, scope_.memory).y;

  // Computes r on a separate graph, in which only z has a gradient.
  const Node* stop = t.head();
  Var leaf = t.input(z->out, true);
  Var fixed_h = h(fixed, leaf, flow_.layer_context(fixed, b.context, b.x->out.shape[0]), scores);
  Var r = t.zeros(z->out.shape);
  if (fixed_h->needs_grad) {
    with_dtype(t.dtype(), [&]<class T>() {
      T* seed = t.grad(*fixed_h).template as<T>();
      std::fill_n(seed, fixed_h->out.count(), T{1});
    });
    t.backward(stop);
    const View g = t.grad_out(*leaf);
    if (g.data) copy_rows(g, r->out);
  }

  Var along = jvp(t, h(s, z, context, scores), z, r);
  Var squares = row_dot(t, r, r);
  return along ? sub(t, scale(t, along, 2), squares) : squares;
}

void Fisher::report(Lane& lane, const Batch& batch, uint64_t step) {
  const Batch& b = scored_;
  for (int64_t row = 0; row < b.rows(); ++row) {
    if (std::isfinite(row_loss()[row])) continue;
    const TapeScope scope(lane.tape());
    Block block;
    if (load_block(lane, b, row, 1, &block) && !all_finite(scores_of(lane, block)) && all_finite(block.x))
      fail_at(Code::numeric, {b.number(row), -1}, "the score of row %lld is not finite; %s",
              static_cast<long long>(b.number(row)), outcome(step).c_str());
    break;
  }
  RowObjective::report(lane, batch, step);
}

}  // namespace

NF_PART(Objective, fisher, Fisher,
        "mean of |r|^2 over rows of data, r = the target's score at the row, pulled back to the latents, minus the "
        "score of the base: z + J^T grad log p + grad log |det J| for a normal base, J = dx/dz",
        "Fisher divergence; Hyvarinen 2005, and nutpie's adaptation of flows", true, true);

}  // namespace libnf
