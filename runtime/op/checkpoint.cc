// Data inputs are leaves of the sub-graph when it runs again: their gradients are summed within it first and then added
// to the gradients from other users of the inputs, as if the sub-graph were one op. Gradients of params arrive
// directly.
#include "runtime/op/checkpoint.h"

#include "runtime/kernel/binary.h"
#include "runtime/op/add_runs.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/restore.h"

namespace libnf {
namespace {

struct CheckpointAttr {
  SubGraph run;
  const void* what;
  Dims shape;
  int32_t data;  // number of data inputs; params follow
  bool training;
  RandomKey random;  // state before the sub-graph
};

Shapes shape(const Node& n) {
  Shapes s;
  s.out = n.attr<CheckpointAttr>().shape;
  s.extra = {s.out.rank ? s.out[0] : 1};
  s.has_extra = true;
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto& a = n.attr<CheckpointAttr>();
  const TapeScope nodes(t);
  const Restore recording(t.recording);
  t.recording = false;
  const Mapped m = a.run(t, a.what, n.in);
  if (!(m.y->out.shape == a.shape))
    fail(Code::shape, "%s: the sub-graph gives shape %s, expected %s", n.op->name, to_string(m.y->out.shape).c_str(),
         to_string(a.shape).c_str());
  const Var y = conform(t, m.y, Layout::rows);
  for_runs<const T, T>(y->out, n.out, [](const T* from, T* to, int64_t k) { kernel::copy(from, to, k); });
  T* log_det = n.extra->y<T>();
  if (m.log_det)
    kernel::copy<T>(m.log_det->out.as<T>(), log_det, n.extra->out.count());
  else
    kernel::fill<T>(0, log_det, n.extra->out.count());
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto& a = n.attr<CheckpointAttr>();
  const View gy = t.grad_out(n), gl = t.grad_out(*n.extra);
  const TapeScope nodes(t);
  const Restore training(t.training);
  const Restore draws(t.random);
  t.training = a.training;
  t.random = a.random;
  Var* inner = t.scratch<Var>(a.data);
  for (int i = 0; i < a.data; ++i) inner[i] = n.in[i] ? t.leaf_of(*n.in[i], grads.wants(i)) : nullptr;
  const Node* stop = t.head();
  const Mapped m = a.run(t, a.what, inner);
  const Var y = conform(t, m.y, Layout::rows);
  if (gy.data && y->needs_grad) add_runs<T>(gy, t.grad(*y));
  if (gl.data && m.log_det && m.log_det->needs_grad) add_runs<T>(gl, t.grad(*m.log_det));
  t.backward(stop);
  for (int i = 0; i < a.data; ++i) {
    const View g = inner[i] ? t.grad_out(*inner[i]) : View{};
    if (g.data) add_runs<T>(g, grads.add(i));
  }
}

// Records the sub-graph again, so tangents lose the memory that a checkpoint saves.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<CheckpointAttr>();
  const Restore training(t.training);
  const Restore draws(t.random);
  t.training = a.training;
  t.random = a.random;
  const Mapped m = a.run(t, a.what, n.in);
  return {d.of(m.y), d.of(m.log_det)};
}

// Params are strided, because a copy in another layout would get their gradients.
const Op kCheckpoint = {"checkpoint", Layout::strided, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// tanh(x W + b), without a log-det.
Var net_case(Tape& t, const Var* in) {
  struct {
    Var w, b;
    Mapped operator()(Tape& tape, const Var* x) const {
      return {linear_activated(tape, x[0], w, b, {false, Unary::tanh, 0}), nullptr};
    }
  } net{in[1], in[2]};
  const Dims &x = in[0]->out.shape, &w = in[1]->out.shape;
  if (x.rank != 2 || w.rank != 2)
    fail(Code::shape, "checkpoint: x %s, W %s", to_string(x).c_str(), to_string(w).c_str());
  return checkpoint(t, {x[0], w[1]}, {in, 1}, {in + 1, 2}, net).y;
}

// An affine map of dropped-out numbers, multiplied by a context: two data inputs, a log-det, random numbers.
Var map_case(Tape& t, const Var* in) {
  struct {
    Var log_scale, shift;
    Mapped operator()(Tape& tape, const Var* x) const {
      const Mapped m = affine(tape, dropout(tape, x[0], 0.3), log_scale, shift, false);
      return {mul(tape, m.y, x[1]), m.log_det};
    }
  } map{in[2], in[3]};
  const bool training = t.training;
  t.training = true;
  t.random = RandomKey{7, 3, t.random.first_row, 0};
  Var y = checkpoint(t, in[0]->out.shape, {in, 2}, {in + 2, 2}, map).y;
  t.training = training;
  return y;
}

const OpCase kCases[] = {
    {"checkpoint", {{"nd"}, {"dm"}, {"m"}}, net_case},
    {"checkpoint_map", {{"nd"}, {"nd"}, {"d"}, {"d"}}, map_case},
};

}  // namespace

extern const OpFamily family_checkpoint;
const OpFamily family_checkpoint = {"checkpoint", kCases, std::size(kCases)};

Mapped checkpoint(Tape& t, const Dims& shape, std::span<const Var> data, std::span<const Var> params, SubGraph run,
                  const void* what) {
  const size_t count = data.size() + params.size();
  Var* inputs = t.scratch<Var>(static_cast<int64_t>(count));
  for (size_t i = 0; i < data.size(); ++i) inputs[i] = data[i] ? conform(t, data[i], Layout::rows) : nullptr;
  for (size_t i = 0; i < params.size(); ++i) inputs[data.size() + i] = params[i];
  const CheckpointAttr a{run, what, shape, static_cast<int32_t>(data.size()), t.training, t.random};
  return mapped(t.record(kCheckpoint, std::span<const Var>(inputs, count), a));
}

}  // namespace libnf
