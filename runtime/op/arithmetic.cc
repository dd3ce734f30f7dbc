// Elementwise a + b, a - b, a b, a / b, max(a, b), min(a, b) with broadcasting of b, and a times or plus a constant.
// b fits if its extents, without leading and trailing ones, match consecutive extents of a (aligned at the last axis):
// a [n, d] takes b [n, d], [d], [n, 1], [1] or []; a [n, c, h, w] takes b [c, 1, 1]. Correctly rounded.
// Gradients of a broadcast b are summed in one order, fixed by the shapes. max and min: at ties all goes to a.
#include <algorithm>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Binary;

// a is [outer, mid, inner] and b is [mid]; b of a's own shape has outer = inner = 1.
struct Grid {
  int64_t outer = 1, mid = 1, inner = 1;
};

bool grid_of(const Dims& a, const Dims& b, Grid* g) {
  const int shift = a.rank - b.rank;
  int first = 0, last = b.rank;  // b's extents in [first, last) are the ones that matter
  while (first < last && b[first] == 1) ++first;
  while (first < last && b[last - 1] == 1) --last;
  if (first < last && shift + first < 0) return false;
  for (int i = first; i < last; ++i)
    if (a[shift + i] != b[i]) return false;
  const int begin = first < last ? shift + first : 0, end = first < last ? shift + last : 0;
  *g = Grid{};
  for (int i = 0; i < a.rank; ++i) (i < begin ? g->outer : i < end ? g->mid : g->inner) *= a[i];
  return b.rank <= a.rank || first == last;
}

Grid grid_of(const Node& n) {
  const Dims &a = n.in[0]->out.shape, &b = n.in[1]->out.shape;
  Grid g;
  if (a == b) {
    g.mid = a.count();
  } else if (!grid_of(a, b, &g)) {
    fail(Code::shape, "%s: input 1 has shape %s, which does not broadcast over %s", n.op->name, to_string(b).c_str(),
         to_string(a).c_str());
  }
  return g;
}

// Calls f(offset in a, offset in b, offset in contiguous tensors of a's shape, length) for each run along which all
// three are contiguous. `one` means that b is a single element over the run. Row-strided tensors are matrices.
template <class F>
void for_pieces(const Node& n, F&& f) {
  const View &a = n.in[0]->out, &b = n.in[1]->out;
  if (a.shape == b.shape) {
    if (a.contiguous() && b.contiguous()) return f(0, 0, 0, a.count(), false);
    const int64_t rows = a.shape[0], cols = a.shape[1];
    const int64_t lda = a.contiguous() ? cols : a.stride[0], ldb = b.contiguous() ? cols : b.stride[0];
    for (int64_t r = 0; r < rows; ++r) f(r * lda, r * ldb, r * cols, cols, false);
    return;
  }
  Grid g = grid_of(n);
  const int64_t cols = std::max<int64_t>(a.shape.last(), 1), ld = a.contiguous() ? cols : a.stride[0];
  if (!a.contiguous() && g.outer * g.mid == 1) g.outer = a.shape[0], g.inner = a.shape.last();  // a scalar over rows
  const auto at = [&](int64_t k) { return k / cols * ld + k % cols; };
  if (g.inner == 1 && g.mid > 1) {
    for (int64_t p = 0; p < g.outer; ++p) f(at(p * g.mid), 0, p * g.mid, g.mid, false);
  } else {
    for (int64_t p = 0; p < g.outer; ++p)
      for (int64_t m = 0; m < g.mid; ++m) {
        const int64_t k = (p * g.mid + m) * g.inner;
        f(at(k), m, k, g.inner, true);
      }
  }
}

Shapes shape(const Node& n) {
  grid_of(n);
  return same_as_first(n);
}

template <Binary op, class T>
void forward(Tape&, Node& n) {
  const T *a = n.x<T>(0), *b = n.x<T>(1);
  T* y = n.y<T>();
  for_pieces(n, [=](int64_t ia, int64_t ib, int64_t k, int64_t count, bool one) {
    if (one)
      kernel::binary_scalar(op, a + ia, b[ib], y + k, count);
    else
      kernel::binary(op, a + ia, b + ib, y + k, count);
  });
}

// g is a contiguous gradient of a's shape from here on.

// Adds g, of the input's own shape, to the gradient of input i.
template <class T>
void add_to(const InputGrads& grads, int i, const T* g) {
  bool fresh;
  const View out = grads.write(i, &fresh);
  for_runs<const T, T>(contiguous_view(const_cast<T*>(g), out.dtype, out.shape), out,
                       [=](const T* x, T* y, int64_t count) {
                         if (fresh)
                           kernel::copy(x, y, count);
                         else
                           kernel::accumulate(x, y, count);
                       });
}

// gb += sign times the sum of g w over the extents that b lacks; w is contiguous, nullptr stands for ones.
template <class T>
void reduce_to_b(Tape& t, Node& n, const InputGrads& grads, const T* g, const T* w, T sign) {
  const View gb = grads.add(1);
  T* out = gb.as<T>();
  if (n.in[0]->out.shape == gb.shape) {
    const int64_t rows = gb.contiguous() ? 1 : gb.shape[0], cols = rows ? gb.count() / rows : 0;
    for (int64_t r = 0; r < rows; ++r, g += cols, w += w ? cols : 0, out += gb.stride[0]) {
      if (w)
        (sign < 0 ? kernel::mul_sub<T> : kernel::mul_add<T>)(g, w, out, cols);
      else
        kernel::axpy(sign, g, out, cols);
    }
    return;
  }
  const ScratchScope scope(t);
  const Grid grid = grid_of(n);
  const int64_t m = grid.mid;
  T *total = t.scratch<T>(m), *part = t.scratch<T>(m);
  kernel::fill(T(0), total, m);
  if (grid.inner == 1) {
    if (w)
      kernel::col_dot_add(g, m, w, m, grid.outer, m, total);
    else
      kernel::col_sum_add(g, m, grid.outer, m, total);
  } else {
    for (int64_t p = 0; p < grid.outer; ++p) {
      const int64_t at = p * m * grid.inner;
      if (w)
        kernel::row_dot(g + at, grid.inner, w + at, grid.inner, m, grid.inner, part);
      else
        kernel::row_sum(g + at, grid.inner, m, grid.inner, part);
      kernel::accumulate(part, total, m);
    }
  }
  kernel::axpy(sign, total, out, m);
}

// Returns the elements of v in row-major order: v itself, or a copy in scratch memory.
template <class T>
const T* packed(Tape& t, const View& v) {
  if (v.contiguous()) return v.as<T>();
  T* copy = t.scratch<T>(v.count());
  const auto x = matrix_of<T>(v);
  for (int64_t r = 0; r < x.rows; ++r) kernel::copy(x.row(r), copy + r * x.cols, x.cols);
  return copy;
}

template <Binary op, class T>
void sum_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const T* g = t.grad_out(n).template as<T>();
  if (grads.wants(0)) add_to(grads, 0, g);
  if (!grads.wants(1)) return;
  if (op == Binary::add && n.in[1]->out.shape == n.out.shape)
    add_to(grads, 1, g);
  else
    reduce_to_b<T>(t, n, grads, g, nullptr, op == Binary::sub ? -1 : 1);
}

template <class T>
void mul_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const ScratchScope scope(t);
  const T* g = t.grad_out(n).template as<T>();
  if (grads.wants(0)) {
    T* ga = grads.add(0).as<T>();
    const T* b = n.x<T>(1);
    for_pieces(n, [=](int64_t ia, int64_t ib, int64_t k, int64_t count, bool one) {
      if (one)
        kernel::axpy(b[ib], g + k, ga + ia, count);
      else
        kernel::mul_add(g + k, b + ib, ga + ia, count);
    });
  }
  if (grads.wants(1)) reduce_to_b(t, n, grads, g, packed<T>(t, n.view(0)), T(1));
}

// y = a / b: da = g / b, db = -(g / b) y
template <class T>
void div_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const ScratchScope scope(t);
  const T *g = t.grad_out(n).template as<T>(), *b = n.x<T>(1);
  T* q = t.scratch<T>(n.out.count());
  for_pieces(n, [=](int64_t, int64_t ib, int64_t k, int64_t count, bool one) {
    if (one)
      kernel::binary_scalar(Binary::div, g + k, b[ib], q + k, count);
    else
      kernel::binary(Binary::div, g + k, b + ib, q + k, count);
  });
  if (grads.wants(0)) add_to<T>(grads, 0, q);
  if (grads.wants(1)) reduce_to_b<T>(t, n, grads, q, n.y<T>(), -1);
}

template <class T>
void select_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const ScratchScope scope(t);
  const T *g = t.grad_out(n).template as<T>(), *a = n.x<T>(0), *y = n.y<T>();
  T *to_a = t.scratch<T>(n.out.count()), *to_b = t.scratch<T>(n.out.count());
  for_pieces(n, [=](int64_t ia, int64_t, int64_t k, int64_t count, bool) {
    for (int64_t i = 0; i < count; ++i) {
      const bool first = a[ia + i] == y[k + i];
      to_a[k + i] = first ? g[k + i] : T(0);
      to_b[k + i] = first ? T(0) : g[k + i];
    }
  });
  if (grads.wants(0)) add_to<T>(grads, 0, to_a);
  if (grads.wants(1)) reduce_to_b<T>(t, n, grads, to_b, nullptr, 1);
}

OutputTangents add_tangent(Tape& t, Node& n, const InputTangents& d) { return plus(t, n.out.shape, d[0], d[1]); }

OutputTangents sub_tangent(Tape& t, Node& n, const InputTangents& d) { return minus(t, n.out.shape, d[0], d[1]); }

OutputTangents mul_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var y = d[0] ? mul(t, d[0], n.in[1]) : nullptr;
  return plus(t, n.out.shape, y, d[1] ? mul(t, n.in[0], d[1]) : nullptr);
}

OutputTangents div_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var y = d[0] ? div(t, d[0], n.in[1]) : nullptr;
  return minus(t, n.out.shape, y, d[1] ? mul(t, div(t, &n, n.in[1]), d[1]) : nullptr);
}

// The tangent of the selected input; at ties, that of a.
OutputTangents select_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var from_a = t.empty(n.out.shape), from_b = t.empty(n.out.shape);
  with_dtype(t.dtype(), [&]<class T>() {
    const T *a = n.x<T>(0), *y = n.y<T>();
    T *one = from_a->y<T>(), *other = from_b->y<T>();
    for_pieces(n, [=](int64_t ia, int64_t, int64_t k, int64_t count, bool) {
      for (int64_t i = 0; i < count; ++i) {
        one[k + i] = a[ia + i] == y[k + i];
        other[k + i] = 1 - one[k + i];
      }
    });
  });
  Var dy = d[0] ? mul(t, from_a, d[0]) : nullptr;
  return plus(t, n.out.shape, dy, d[1] ? mul(t, from_b, d[1]) : nullptr);
}

#define NF_BOTH_OF(fn, op) \
  { fn<op, float>, fn<op, double> }
const Op kAdd = {"add",      Layout::rows, shape, NF_BOTH_OF(forward, Binary::add), NF_BOTH_OF(sum_vjp, Binary::add),
                 add_tangent};
const Op kSub = {"sub",      Layout::rows, shape, NF_BOTH_OF(forward, Binary::sub), NF_BOTH_OF(sum_vjp, Binary::sub),
                 sub_tangent};
const Op kMul = {"mul", Layout::rows, shape, NF_BOTH_OF(forward, Binary::mul), NF_BOTH(mul_vjp), mul_tangent};
const Op kDiv = {"div", Layout::rows, shape, NF_BOTH_OF(forward, Binary::div), NF_BOTH(div_vjp), div_tangent};
const Op kMax = {"maximum", Layout::rows, shape, NF_BOTH_OF(forward, Binary::max), NF_BOTH(select_vjp), select_tangent};
const Op kMin = {"minimum", Layout::rows, shape, NF_BOTH_OF(forward, Binary::min), NF_BOTH(select_vjp), select_tangent};
#undef NF_BOTH_OF

// ---- with a constant --------------------------------------------------------

struct ConstantAttr {
  double c;
};

template <class T>
void scale_forward(Tape&, Node& n) {
  const T c = static_cast<T>(n.attr<ConstantAttr>().c);
  for_runs<const T, T>(n.view(0), n.out, [=](const T* x, T* y, int64_t count) { kernel::scale(c, x, y, count); });
}

template <class T>
void scale_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const T c = static_cast<T>(n.attr<ConstantAttr>().c);
  for_runs<const T, T>(t.grad_out(n), grads.add(0),
                       [=](const T* g, T* out, int64_t count) { kernel::axpy(c, g, out, count); });
}

const Op kScale = {"scale",
                   Layout::rows,
                   same_as_first,
                   NF_BOTH(scale_forward),
                   NF_BOTH(scale_vjp),
                   [](Tape& t, Node& n, const InputTangents& d) -> OutputTangents {
                     return scale(t, d[0], n.attr<ConstantAttr>().c);
                   }};

template <class T>
void add_scalar_forward(Tape&, Node& n) {
  const T c = static_cast<T>(n.attr<ConstantAttr>().c);
  for_runs<const T, T>(n.view(0), n.out,
                       [=](const T* x, T* y, int64_t count) { kernel::binary_scalar(Binary::add, x, c, y, count); });
}

template <class T>
void add_scalar_vjp(Tape& t, Node& n, const InputGrads& grads) {
  add_to(grads, 0, static_cast<const T*>(t.grad_out(n).data));
}

const Op kAddScalar = {"add_scalar",
                       Layout::rows,
                       same_as_first,
                       NF_BOTH(add_scalar_forward),
                       NF_BOTH(add_scalar_vjp),
                       [](Tape&, Node&, const InputTangents& d) -> OutputTangents { return d[0]; }};

// A broadcast b is small, so its layout does not deserve a code path of its own.
Var record(Tape& t, const Op& op, Var a, Var b) {
  const bool same = a->out.shape == b->out.shape;
  return t.record(op, {a, same ? b : conform(t, b, Layout::contiguous)});
}

const OpCase kCases[] = {
    {"add", {{"nd"}, {"nd"}}, [](Tape& t, const Var* in) { return add(t, in[0], in[1]); }},
    {"add_row", {{"nd"}, {"d"}}, [](Tape& t, const Var* in) { return add(t, in[0], in[1]); }},
    {"add_column", {{"nd"}, {"n1"}}, [](Tape& t, const Var* in) { return add(t, in[0], in[1]); }},
    {"add_channel", {{"ncde"}, {"c11"}}, [](Tape& t, const Var* in) { return add(t, in[0], in[1]); }},
    {"sub", {{"nd"}, {"nd"}}, [](Tape& t, const Var* in) { return sub(t, in[0], in[1]); }},
    {"sub_row", {{"nd"}, {"d"}}, [](Tape& t, const Var* in) { return sub(t, in[0], in[1]); }},
    {"sub_one", {{"nd"}, {"1"}}, [](Tape& t, const Var* in) { return sub(t, in[0], in[1]); }},
    {"mul", {{"nd"}, {"nd"}}, [](Tape& t, const Var* in) { return mul(t, in[0], in[1]); }},
    {"mul_vector", {{"n"}, {"n"}}, [](Tape& t, const Var* in) { return mul(t, in[0], in[1]); }},
    {"mul_row", {{"nd"}, {"d"}}, [](Tape& t, const Var* in) { return mul(t, in[0], in[1]); }},
    {"mul_column", {{"nd"}, {"n1"}}, [](Tape& t, const Var* in) { return mul(t, in[0], in[1]); }},
    {"mul_scalar", {{"nd"}, {""}}, [](Tape& t, const Var* in) { return mul(t, in[0], in[1]); }},
    {"mul_channel", {{"ncde"}, {"c11"}}, [](Tape& t, const Var* in) { return mul(t, in[0], in[1]); }},
    {"div", {{"nd"}, {"nd", Domain::positive}}, [](Tape& t, const Var* in) { return div(t, in[0], in[1]); }},
    {"div_row", {{"nd"}, {"d", Domain::positive}}, [](Tape& t, const Var* in) { return div(t, in[0], in[1]); }},
    {"div_column", {{"nd"}, {"n1", Domain::positive}}, [](Tape& t, const Var* in) { return div(t, in[0], in[1]); }},
    {"maximum", {{"nd"}, {"nd"}}, [](Tape& t, const Var* in) { return maximum(t, in[0], in[1]); }, false},
    {"minimum_row", {{"nd"}, {"d"}}, [](Tape& t, const Var* in) { return minimum(t, in[0], in[1]); }, false},
    {"scale", {{"nd"}}, [](Tape& t, const Var* in) { return scale(t, in[0], -1.75); }},
    {"add_scalar", {{"nd"}}, [](Tape& t, const Var* in) { return add_scalar(t, in[0], 0.5); }},
};

}  // namespace

extern const OpFamily family_arithmetic;
const OpFamily family_arithmetic = {"arithmetic", kCases, std::size(kCases)};

Var add(Tape& t, Var a, Var b) { return record(t, kAdd, a, b); }
Var sub(Tape& t, Var a, Var b) { return record(t, kSub, a, b); }
Var mul(Tape& t, Var a, Var b) { return record(t, kMul, a, b); }
Var div(Tape& t, Var a, Var b) { return record(t, kDiv, a, b); }
Var maximum(Tape& t, Var a, Var b) { return record(t, kMax, a, b); }
Var minimum(Tape& t, Var a, Var b) { return record(t, kMin, a, b); }
Var scale(Tape& t, Var x, double factor) { return t.record(kScale, {x}, ConstantAttr{factor}); }
Var add_scalar(Tape& t, Var x, double c) { return t.record(kAddScalar, {x}, ConstantAttr{c}); }

}  // namespace libnf
