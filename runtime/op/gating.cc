// concat_elu: y = [elu(x) | elu(-x)]; gated: y = a sigmoid(b) + r for x = [a | b]. Gradients, with s = sigmoid(b):
// ga = gy s, gb = gy a s (1 - s), gr = gy; runtime/kernel/gating.h has the others and the accuracy.
#include "runtime/op/gating.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gating.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kResidual };

struct GatingAttr {
  int64_t channels;
};
int64_t channels_of(const Node& n) { return n.attr<GatingAttr>().channels; }

// Checks that the last axis is a whole number of runs, one if x has more than two axes.
void need_runs(const Node& n, int64_t run) {
  const Dims& x = n.in[kX]->out.shape;
  if (channels_of(n) < 1 || x.rank < 2 || (x.rank == 2 ? x.last() % run : x.last() - run))
    fail(Code::shape, "%s: input %d has shape %s, expected %s of %lld elements", n.op->name, kX, to_string(x).c_str(),
         x.rank > 2 ? "a last axis" : "rows of runs", static_cast<long long>(run));
}

Shapes concat_shape(const Node& n) {
  need_runs(n, channels_of(n));
  Shapes s = same_as_first(n);
  s.out[s.out.rank - 1] = checked_mul(s.out.last(), 2);
  return s;
}

template <class T>
void concat_forward(Tape&, Node& n) {
  const int64_t c = channels_of(n);
  kernel::concat_elu<T>(n.x<T>(kX), n.view(kX).count() / c, c, n.y<T>());
}

template <class T>
void concat_vjp(Tape& t, Node& n, const InputGrads& grads) {
  if (!grads.wants(kX)) return;
  const int64_t c = channels_of(n);
  bool fresh;
  T* gx = grads.write(kX, &fresh).template as<T>();
  kernel::concat_elu_grad<T>(n.y<T>(), t.grad_out(n).template as<T>(), n.view(kX).count() / c, c, gx, fresh);
}

// Rewrites the op in other ops.
OutputTangents concat_tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t c = channels_of(n);
  Var x = reshape(t, n.in[kX], {n.view(kX).count() / c, c});
  Var y = concat_columns(t, unary(t, Unary::elu, x, 1), unary(t, Unary::elu, unary(t, Unary::neg, x), 1));
  return d.of(reshape(t, y, n.out.shape));
}

const Op kConcatElu = {"concat_elu",        Layout::contiguous, concat_shape, NF_BOTH(concat_forward),
                       NF_BOTH(concat_vjp), concat_tangent};

Shapes gated_shape(const Node& n) {
  need_runs(n, checked_mul(channels_of(n), 2));
  Shapes s = same_as_first(n);
  s.out[s.out.rank - 1] /= 2;
  if (n.in[kResidual] && !(n.in[kResidual]->out.shape == s.out))
    fail(Code::shape, "%s: input %d has shape %s, expected %s", n.op->name, kResidual,
         to_string(n.in[kResidual]->out.shape).c_str(), to_string(s.out).c_str());
  return s;
}

template <class T>
void gated_forward(Tape&, Node& n) {
  const int64_t c = channels_of(n);
  kernel::gate<T>(n.x<T>(kX), n.x<T>(kResidual), n.out.count() / c, c, n.y<T>());
}

template <class T>
void gated_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const int64_t c = channels_of(n), count = n.out.count();
  const T* g = t.grad_out(n).template as<T>();
  bool fresh;
  if (grads.wants(kX)) {
    T* gx = grads.write(kX, &fresh).template as<T>();
    kernel::gate_grad<T>(n.x<T>(kX), g, count / c, c, gx, fresh);
  }
  if (grads.wants(kResidual)) {
    T* gr = grads.write(kResidual, &fresh).template as<T>();
    fresh ? kernel::copy(g, gr, count) : kernel::accumulate(g, gr, count);
  }
}

OutputTangents gated_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var y = nullptr;
  if (d[kX]) {
    const int64_t c = channels_of(n);
    Var rewritten = glu(t, reshape(t, n.in[kX], {n.out.count() / c, 2 * c}));
    y = d.of(reshape(t, rewritten, n.out.shape));
  }
  return plus(t, n.out.shape, y, d[kResidual]);
}

const Op kGated = {"gated", Layout::contiguous, gated_shape, NF_BOTH(gated_forward), NF_BOTH(gated_vjp), gated_tangent};

constexpr auto kNonzero = Domain::nonzero;

const OpCase kCases[] = {
    {"concat_elu", {{"n6", kNonzero}}, [](Tape& t, const Var* in) { return concat_elu(t, in[0], 6); }},
    {"concat_elu_pixels", {{"n6", kNonzero}}, [](Tape& t, const Var* in) { return concat_elu(t, in[0], 2); }},
    {"concat_elu_images", {{"nd33", kNonzero}}, [](Tape& t, const Var* in) { return concat_elu(t, in[0], 3); }},
    {"gated", {{"n6"}}, [](Tape& t, const Var* in) { return gated(t, in[0], 3); }},
    {"gated_residual", {{"n8"}, {"n4"}}, [](Tape& t, const Var* in) { return gated(t, in[0], 2, in[1]); }},
    {"gated_images", {{"ncd6"}, {"ncd3"}}, [](Tape& t, const Var* in) { return gated(t, in[0], 3, in[1]); }},
};

}  // namespace

extern const OpFamily family_gating;
const OpFamily family_gating = {"gating", kCases, std::size(kCases)};

Var concat_elu(Tape& t, Var x, int64_t channels) { return t.record(kConcatElu, {x}, GatingAttr{channels}); }

Var gated(Tape& t, Var x, int64_t channels, Var residual) {
  return t.record(kGated, {x, residual}, GatingAttr{channels});
}

}  // namespace libnf
