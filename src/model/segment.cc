#include "src/model/segment.h"

#include <cstring>

#include "runtime/kernel/binary.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace nf {
namespace {

enum {
  kX,
  kContext,
  kParam
};  // kParam: a trained parameter of the layers, so that the node is known to need gradients

struct SegmentAttr {
  std::span<const Step> steps;
  Node* params;
  uint32_t stream;  // the first one of the layers
  bool inverse;
};

// Nothing is recorded in this scope. The tape is used again after an error (a root that was missed, say).
class Unrecorded {
 public:
  explicit Unrecorded(Tape& t) : tape_(t), recording_(t.recording) { t.recording = false; }
  ~Unrecorded() { tape_.recording = recording_; }
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;

 private:
  Tape& tape_;
  bool recording_;
};

Shapes shape(const Node& n) {
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto& a = n.attr<SegmentAttr>();
  const Tape::Mark mark = t.mark();
  const Mapped m = [&] {
    const Unrecorded scope(t);
    return apply_steps({t, a.params}, a.steps, n.in[kX], n.in[kContext], a.inverse);
  }();
  for_runs<const T, T>(m.y->out, n.out, [](const T* from, T* to, int64_t k) { kernel::copy(from, to, k); });
  T* log_det = n.extra->y<T>();
  if (m.log_det)
    kernel::copy<T>(m.log_det->out.as<T>(), log_det, n.extra->out.count());
  else
    kernel::fill<T>(0, log_det, n.extra->out.count());
  t.rewind(mark);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const View gy = t.grad_out(n), gl = t.grad_out(*n.extra);
  const Tape::Mark mark = t.mark();
  const RandomKey random = t.random;
  const auto& a = n.attr<SegmentAttr>();
  t.random.stream = a.stream;
  Var inner[2] = {nullptr, nullptr};
  for (int i : {kX, kContext})
    if (n.in[i]) inner[i] = t.input(n.view(i), grads.wants(i));
  const Node* stop = t.head();
  const Mapped m = apply_steps({t, a.params}, a.steps, inner[0], inner[1], a.inverse);
  const auto seed = [&](const View& g, Var y) {
    if (!g.data || !y || !y->needs_grad) return;
    for_runs<const T, T>(g, t.grad(*y), [](const T* from, T* to, int64_t k) { kernel::accumulate(from, to, k); });
  };
  seed(gy, m.y);
  seed(gl, m.log_det);
  t.backward(stop);
  for (int i : {kX, kContext}) {
    const View g = inner[i] ? t.grad_out(*inner[i]) : View{};
    if (!g.data) continue;
    for_runs<const T, T>(g, grads.add(i), [](const T* from, T* to, int64_t k) { kernel::accumulate(from, to, k); });
  }
  t.random = random;
  t.rewind(mark);
}

const Op kSegment = {"layer", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), "TODO"};

}  // namespace

Mapped apply_step(const Scope& s, const Step& step, Var x, Var context, bool inverse) {
  try {
    return inverse == step.inverted ? step.layer->forward(s, x, context) : step.layer->inverse(s, x, context);
  } catch (const Error& e) {  // an op knows the row, not the layer
    if (e.code() != Code::not_inverted) throw;
    fail(e.code(), "%s: %s", step.where.c_str(), e.what());
  }
}

Mapped apply_steps(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse) {
  Mapped all{x, nullptr};
  for (size_t i = 0; i < steps.size(); ++i) {
    const Mapped m = apply_step(s, steps[inverse ? steps.size() - 1 - i : i], all.y, context, inverse);
    all.y = m.y;
    if (m.log_det) all.log_det = all.log_det ? add(s.tape, all.log_det, m.log_det) : m.log_det;
  }
  return all;
}

Mapped recorded_segment(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse) {
  const SegmentAttr a{steps, s.params, s.tape.random.stream, inverse};
  Var trained = nullptr;
  for (const Step& step : steps)
    for (ParamId i = step.first; i < step.first + step.count; ++i)
      if (s.params[i].needs_grad) trained = &s.params[i];
  Var y = s.tape.record(kSegment, {x, context, trained}, a);
  return {y, y->extra};
}

}  // namespace nf
