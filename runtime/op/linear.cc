// y = x W + b (+ r), or y = act(x W + b): the most used op. W is [in, out], so forward is a plain product of row-major
// matrices. Gradients, with g = gy act'(y): dx = g W^T, dW = x^T g, db = column sums of g, dr = g. Accuracy: one FMA
// chain per element (runtime/kernel/gemm.h).
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/product.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Into;
enum { kX, kW, kB, kResidual };

struct LinearAttr {
  Activation act;  // the identity, or one whose derivative is a function of y
};
const Activation& act_of(const Node& n) { return n.attr<LinearAttr>().act; }

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  need_rank(n, kW, 2);
  const int64_t rows = n.in[kX]->out.shape[0], in = n.in[kX]->out.shape[1], out = n.in[kW]->out.shape[1];
  need_extent(n, kW, 0, in);
  if (n.in[kB]) {
    need_rank(n, kB, 1);
    need_extent(n, kB, 0, out);
  }
  if (n.in[kResidual]) {
    need_rank(n, kResidual, 2);
    need_extent(n, kResidual, 0, rows);
    need_extent(n, kResidual, 1, out);
  }
  Shapes s;
  s.out = {rows, out};
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), w = matrix_of<T>(n.view(kW)), y = matrix_of<T>(n.out);
  t.count_products(x.rows * w.rows * w.cols);
  const T* b = n.x<T>(kB);
  kernel::Finish<T> finish;
  if (n.in[kResidual]) {
    const auto r = matrix_of<T>(n.view(kResidual));
    finish.add = r.p;
    finish.ld_add = r.ld;
  }
  const Activation& act = act_of(n);
  finish.relu = !act.identity && act.f == Unary::relu;
  multiply<T>(t, x.rows, w.cols, w.rows, x.p, x.ld, 1, w.p, w.ld, y, b ? Into::bias : Into::overwrite, b, finish);
  if (!act.identity && !finish.relu) kernel::unary<T>(act.f, static_cast<T>(act.a), y.p, y.p, y.rows * y.cols);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = matrix_of<T>(n.view(kX)), w = matrix_of<T>(n.view(kW));
  View gy_view = t.grad_out(n);
  const ScratchScope scope(t);
  if (const Activation& act = act_of(n); !act.identity) {
    const int64_t count = n.out.count();
    T* g = t.scratch<T>(count);
    kernel::unary_grad<T>(act.f, static_cast<T>(act.a), nullptr, n.y<T>(), gy_view.as<T>(), g, count, true);
    gy_view.data = g;
  }
  const auto gy = matrix_of<T>(gy_view);
  if (grads.wants(kX)) {
    bool fresh;
    const auto gx = matrix_of<T>(grads.write(kX, &fresh));
    const Into into = fresh ? Into::overwrite : Into::accumulate;
    if (const void* mirror = n.in[kW]->mirror) {
      multiply<T>(t, gy.rows, w.rows, w.cols, gy.p, gy.ld, 1, static_cast<const T*>(mirror), w.rows, gx, into);
    } else {
      const ScratchScope transposed(t);
      T* wt = t.scratch<T>(w.rows * w.cols);
      kernel::transpose(w.rows, w.cols, w.p, w.ld, wt, w.rows);
      multiply<T>(t, gy.rows, w.rows, w.cols, gy.p, gy.ld, 1, wt, w.rows, gx, into);
    }
  }
  if (grads.wants(kW)) {
    bool fresh;
    const auto gw = matrix_of<T>(grads.write(kW, &fresh));
    const Into into = fresh ? Into::overwrite : Into::accumulate;
    multiply_turned<T>(t, x, gy, gw, into);
  }
  if (grads.wants(kB)) kernel::col_sum_add(gy.p, gy.ld, gy.rows, gy.cols, grads.add(kB).as<T>());
  if (grads.wants(kResidual)) {
    bool fresh;
    const View gr = grads.write(kResidual, &fresh);
    for_runs<const T, T>(gy_view, gr, [fresh](const T* g, T* o, int64_t count) {
      fresh ? kernel::copy(g, o, count) : kernel::accumulate(g, o, count);
    });
  }
}

// d(xW + b + r) = dx W + x dW + db + dr, times act' of the sum.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  Var y = nullptr;
  if (d[kX]) y = linear(t, d[kX], n.in[kW], nullptr);
  if (d[kW]) y = linear_add(t, n.in[kX], d[kW], nullptr, y);
  y = plus(t, n.out.shape, plus(t, n.out.shape, y, d[kB]), d[kResidual]);
  const Activation& act = act_of(n);
  if (act.identity) return y;
  Var before = linear(t, n.in[kX], n.in[kW], n.in[kB]);
  return mul(t, unary_derivative(t, act.f, before, act.a), y);
}

const Op kLinear = {"linear", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"linear", {{"nd"}, {"dm"}, {"m"}}, [](Tape& t, const Var* in) { return linear(t, in[0], in[1], in[2]); }},
    {"linear_no_bias", {{"nd"}, {"dm"}}, [](Tape& t, const Var* in) { return linear(t, in[0], in[1], nullptr); }},
    {"linear_add",
     {{"nd"}, {"dm"}, {"m"}, {"nm"}},
     [](Tape& t, const Var* in) { return linear_add(t, in[0], in[1], in[2], in[3]); }},
    {"linear_tanh",
     {{"nd"}, {"dm"}, {"m"}},
     [](Tape& t, const Var* in) {
       return linear_activated(t, in[0], in[1], in[2], {false, Unary::tanh, 0});
     }},
    {"linear_softplus",
     {{"nd"}, {"dm"}, {"m"}},
     [](Tape& t, const Var* in) {
       return linear_activated(t, in[0], in[1], in[2], {false, Unary::softplus, 1});
     }},
    {"linear_silu",
     {{"nd"}, {"dm"}, {"m"}},
     [](Tape& t, const Var* in) {
       return linear_activated(t, in[0], in[1], in[2], {false, Unary::silu, 0});
     }},
};

}  // namespace

extern const OpFamily family_linear;
const OpFamily family_linear = {"linear", kCases, std::size(kCases)};

Var linear(Tape& t, Var x, Var w, Var b) { return t.record(kLinear, {x, w, b, nullptr}, LinearAttr{}); }
Var matmul(Tape& t, Var a, Var b) { return t.record(kLinear, {a, b, nullptr, nullptr}, LinearAttr{}); }
Var linear_add(Tape& t, Var x, Var w, Var b, Var residual) {
  return t.record(kLinear, {x, w, b, residual}, LinearAttr{});
}

Var linear_activated(Tape& t, Var x, Var w, Var b, const Activation& act) {
  if (act.identity || !kernel::grad_from_output(act.f)) return activate(t, act, linear(t, x, w, b));
  return t.record(kLinear, {x, w, b, nullptr}, LinearAttr{act});
}

}  // namespace libnf
