// y = softmax(x) = e^x / sum e^x and y = log softmax(x) = x - logsumexp(x) over the last axis; permute gives other
// axes. Accepts values of any size; a row with +inf, or with only -inf, is NaN. Gradients are computed from y
// (runtime/kernel/reduce.h).
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

template <class T>
void forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0)), y = last_axis_of<T>(n.out);
  kernel::softmax(x.p, x.ld, y.p, y.ld, y.rows, y.cols);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto y = last_axis_of<T>(n.out), gy = last_axis_of<T>(t.grad_out(n)), gx = last_axis_of<T>(grads.add(0));
  kernel::softmax_grad(y.p, y.ld, gy.p, gy.ld, gx.p, gx.ld, y.rows, y.cols);
}

template <class T>
void log_forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0)), y = last_axis_of<T>(n.out);
  kernel::log_softmax(x.p, x.ld, y.p, y.ld, y.rows, y.cols);
}

template <class T>
void log_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto y = last_axis_of<T>(n.out), gy = last_axis_of<T>(t.grad_out(n)), gx = last_axis_of<T>(grads.add(0));
  kernel::log_softmax_grad(y.p, y.ld, gy.p, gy.ld, gx.p, gx.ld, y.rows, y.cols);
}

// Reshapes [...] to [..., 1].
Var as_column(Tape& t, Var v) {
  Dims s = v->out.shape;
  s.d[s.rank++] = 1;  // v has lost an axis to a reduction, so there is room
  return reshape(t, v, s);
}

// dy = y (dx - <y, dx>)
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return mul(t, &n, sub(t, d[0], as_column(t, row_dot(t, &n, d[0]))));
}

// dy = dx - <softmax(x), dx>
OutputTangents log_tangent(Tape& t, Node& n, const InputTangents& d) {
  return sub(t, d[0], as_column(t, row_dot(t, softmax(t, n.in[0]), d[0])));
}

const Op kSoftmax = {"softmax", Layout::rows, same_as_first, NF_BOTH(forward), NF_BOTH(vjp), tangent};
const Op kLogSoftmax = {"log_softmax",        Layout::rows,     same_as_first,
                        NF_BOTH(log_forward), NF_BOTH(log_vjp), log_tangent};

const OpCase kCases[] = {
    {"softmax", {{"nd"}}, [](Tape& t, const Var* in) { return softmax(t, in[0]); }},
    {"softmax_vector", {{"d"}}, [](Tape& t, const Var* in) { return softmax(t, in[0]); }},
    {"softmax_cube", {{"ncd"}}, [](Tape& t, const Var* in) { return softmax(t, in[0]); }},
    {"log_softmax", {{"nd"}}, [](Tape& t, const Var* in) { return log_softmax(t, in[0]); }},
    {"log_softmax_cube", {{"ncd"}}, [](Tape& t, const Var* in) { return log_softmax(t, in[0]); }},
};

}  // namespace

extern const OpFamily family_softmax;
const OpFamily family_softmax = {"softmax", kCases, std::size(kCases)};

Var softmax(Tape& t, Var x) { return t.record(kSoftmax, {x}); }
Var log_softmax(Tape& t, Var x) { return t.record(kLogSoftmax, {x}); }

}  // namespace libnf
