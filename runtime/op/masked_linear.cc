// y = act(W^T x + b) + r with a staircase mask: the layers of masked autoregressive nets (Germain et al. 2015, eq. 8),
// by unit: x [d, n], y [m, n]. Gradients, with g = gy act'(y): dx = W g, dW = x g^T on unmasked entries, db = row sums
// of g, dr = gy. Masked entries are neither stored nor computed (runtime/kernel/staircase.h).
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Staircase;
enum { kX, kW, kB, kResidual };

struct MaskedLinearAttr {
  const Staircase* mask;  // borrowed
  Activation act;         // the identity, or one whose derivative is a function of y
};
const Staircase& mask_of(const Node& n) { return *n.attr<MaskedLinearAttr>().mask; }
const Activation& act_of(const Node& n) { return n.attr<MaskedLinearAttr>().act; }

Shapes shape(const Node& n) {
  const Staircase& m = mask_of(n);
  need_rank(n, kX, 2);
  need_extent(n, kX, 0, m.rows());
  need_rank(n, kW, n.in[kW]->out.shape.rank == 2 ? 2 : 1);
  if (n.in[kW]->out.shape.count() != m.size()) wrong_extent(n, kW, 0, m.size());
  if (n.in[kB]) {
    need_rank(n, kB, 1);
    need_extent(n, kB, 0, m.cols());
  }
  Shapes s;
  s.out = {m.cols(), n.in[kX]->out.shape[1]};
  if (n.in[kResidual]) {
    need_rank(n, kResidual, 2);
    need_extent(n, kResidual, 0, s.out[0]);
    need_extent(n, kResidual, 1, s.out[1]);
  }
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const Staircase& m = mask_of(n);
  const int64_t rows = n.out.shape[1];
  T* y = n.y<T>();
  t.count_products(rows * m.size());
  const Activation& act = act_of(n);
  const bool relu = !act.identity && act.f == Unary::relu;
  const ScratchScope scope(t);
  kernel::staircase_forward<T>(m, n.x<T>(kW), n.x<T>(kB), n.x<T>(kX), y, rows, t.scratch<T>(m.scratch(rows)),
                               {n.x<T>(kResidual), rows, relu});
  if (!act.identity && !relu) kernel::unary<T>(act.f, static_cast<T>(act.a), y, y, n.out.count());
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const Staircase& m = mask_of(n);
  const int64_t rows = n.out.shape[1], count = n.out.count();
  const T* g = t.grad_out(n).template as<T>();
  const ScratchScope scope(t);
  if (grads.wants(kResidual)) {
    bool fresh;
    T* gr = grads.write(kResidual, &fresh).as<T>();
    fresh ? kernel::copy<T>(g, gr, count) : kernel::accumulate<T>(g, gr, count);
  }
  if (const Activation& act = act_of(n); !act.identity) {
    T* before = t.scratch<T>(count);
    kernel::unary_grad<T>(act.f, static_cast<T>(act.a), nullptr, n.y<T>(), g, before, count, true);
    g = before;
  }
  T* products = t.scratch<T>(m.scratch(rows));
  if (grads.wants(kX)) {
    bool fresh;
    T* gx = grads.write(kX, &fresh).as<T>();
    kernel::staircase_back<T>(m, n.x<T>(kW), g, gx, rows, !fresh, products);
  }
  if (grads.wants(kW)) {
    bool fresh;
    T* gw = grads.write(kW, &fresh).as<T>();
    kernel::staircase_weights<T>(m, n.x<T>(kX), g, gw, rows, !fresh, products);
  }
  if (grads.wants(kB)) {
    T* gb = grads.add(kB).as<T>();
    T* sums = t.scratch<T>(m.cols());
    kernel::row_sum<T>(g, rows, m.cols(), rows, sums);
    kernel::accumulate<T>(sums, gb, m.cols());
  }
}

constexpr Activation kNone;

// d(W^T x + b) = W^T dx + dW^T x + db, times act' of the sum; then + dr.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const Staircase& m = mask_of(n);
  Var y = d[kResidual];
  if (d[kX]) y = masked_linear(t, m, d[kX], n.in[kW], nullptr, y, kNone);
  if (d[kW]) y = masked_linear(t, m, n.in[kX], d[kW], nullptr, y, kNone);
  y = plus(t, n.out.shape, y, d[kB] ? as_column(t, d[kB]) : nullptr);
  const Activation& act = act_of(n);
  if (act.identity) return y;
  Var before = masked_linear(t, m, n.in[kX], n.in[kW], n.in[kB], nullptr, kNone);
  return mul(t, unary_derivative(t, act.f, before, act.a), y);
}

const Op kMaskedLinear = {"masked_linear", Layout::contiguous, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// Three inputs of degree 0, 1, 2; four columns that read 1, 2, 2 and 3 of them: 8 entries.
const Staircase& small_mask() {
  static constexpr int32_t kDegree[] = {0, 1, 2}, kNeed[] = {0, 1, 1, 2};
  static const Staircase mask(kDegree, kNeed);
  return mask;
}

template <bool kBias, bool kAdd>
Var masked_case(Tape& t, const Var* in) {
  return masked_linear(t, small_mask(), in[0], in[1], kBias ? in[2] : nullptr, kAdd ? in[3] : nullptr, kNone);
}

const OpCase kCases[] = {
    {"masked_linear", {{"3n"}, {"8"}, {"4"}}, masked_case<true, false>},
    {"masked_linear_no_bias", {{"3n"}, {"8"}}, masked_case<false, false>},
    {"masked_linear_add", {{"3n"}, {"8"}, {"4"}, {"4n"}}, masked_case<true, true>},
    {"masked_linear_tanh",
     {{"3n"}, {"8"}, {"4"}},
     [](Tape& t, const Var* in) {
       return masked_linear(t, small_mask(), in[0], in[1], in[2], nullptr, {false, Unary::tanh, 0});
     }},
    {"masked_linear_silu",
     {{"3n"}, {"8"}, {"4"}},
     [](Tape& t, const Var* in) {
       return masked_linear(t, small_mask(), in[0], in[1], in[2], nullptr, {false, Unary::silu, 0});
     }},
};

}  // namespace

extern const OpFamily family_masked_linear;
const OpFamily family_masked_linear = {"masked_linear", kCases, std::size(kCases)};

Var masked_linear(Tape& t, const Staircase& s, Var x, Var w, Var b, Var residual, const Activation& act) {
  if (residual && !act.identity) fail(Code::internal, "masked_linear: an activation and a residual");
  const bool fused = !act.identity && kernel::grad_from_output(act.f);
  Var y = t.record(kMaskedLinear, {x, w, b, residual}, MaskedLinearAttr{&s, fused ? act : kNone});
  return fused ? y : activate(t, act, y);
}

}  // namespace libnf
