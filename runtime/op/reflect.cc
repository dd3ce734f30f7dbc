// Householder reflections x <- x - 2 v (v.x)/(v.v) of rows, k in sequence, with vectors that are shared
// (householder.cc, as matrix products) or given per row. A zero v has no direction: the row becomes NaN.
// The backward pass undoes each reflection, so nothing is kept. With c = 2/(v.v), s = v.x, r = v.gy,
//   gx = gy - c r v,  gv = -c (s gy + r x) + c^2 s r v.
#include "runtime/op/reflect.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kV };

struct ReflectAttr {
  int64_t count;  // number of reflections
  bool reversed;
};

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  need_rank(n, kV, 2);
  need_extent(n, kV, 0, n.in[kX]->out.shape[0]);
  need_extent(n, kV, 1, checked_mul(n.attr<ReflectAttr>().count, n.in[kX]->out.shape[1]));
  return same_as_first(n);
}

template <class T>
T dot(const T* a, const T* b, int64_t d) {
  T sum;
  kernel::row_dot<T>(a, d, b, d, 1, d, &sum);
  return sum;
}

template <class T>
void forward(Tape&, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), v = matrix_of<T>(n.view(kV)), y = matrix_of<T>(n.out);
  const auto& [k, reversed] = n.attr<ReflectAttr>();
  const int64_t d = x.cols;
  for (int64_t r = 0; r < x.rows; ++r) {
    kernel::copy<T>(x.row(r), y.row(r), d);
    for (int64_t i = 0; i < k; ++i) {
      const T* w = v.row(r) + (reversed ? k - 1 - i : i) * d;
      kernel::axpy<T>(-2 * dot<T>(w, y.row(r), d) / dot<T>(w, w, d), w, y.row(r), d);
    }
  }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto v = matrix_of<T>(n.view(kV)), y = matrix_of<T>(n.out), gy = matrix_of<T>(t.grad_out(n));
  const auto gx = grads.wants(kX) ? matrix_of<T>(grads.add(kX)) : Rows<T>{};
  const auto gv = grads.wants(kV) ? matrix_of<T>(grads.add(kV)) : Rows<T>{};
  const auto& [k, reversed] = n.attr<ReflectAttr>();
  const int64_t d = y.cols;
  const ScratchScope scope(t);
  T *at = t.scratch<T>(d), *g = t.scratch<T>(d);
  for (int64_t r = 0; r < y.rows; ++r) {
    kernel::copy<T>(y.row(r), at, d);
    kernel::copy<T>(gy.row(r), g, d);
    for (int64_t i = k; i-- > 0;) {
      const int64_t which = (reversed ? k - 1 - i : i) * d;
      const T* w = v.row(r) + which;
      const T c = 2 / dot<T>(w, w, d);
      const T s = -dot<T>(w, at, d), back = dot<T>(w, g, d);  // v.x = -v.y
      kernel::axpy<T>(c * s, w, at, d);                       // x = y + c s v
      if (gv.p) {
        T* out = gv.row(r) + which;
        kernel::axpy<T>(-c * s, g, out, d);
        kernel::axpy<T>(-c * back, at, out, d);
        kernel::axpy<T>(c * s * (c * back), w, out, d);
      }
      kernel::axpy<T>(-c * back, w, g, d);
    }
    if (gx.p) kernel::accumulate<T>(g, gx.row(r), d);
  }
}

// Differentiates one reflection after the other, as ordinary ops.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& [k, reversed] = n.attr<ReflectAttr>();
  const int64_t cols = n.out.shape[1];
  if (!d[kV]) return d[kX] ? reflect(t, d[kX], n.in[kV], k, reversed) : nullptr;
  Var x = n.in[kX];
  for (int64_t i = 0; i < k; ++i) {
    Var v = slice_columns(t, n.in[kV], (reversed ? k - 1 - i : i) * cols, cols);
    Var share = div(t, scale(t, row_dot(t, v, x), 2), row_dot(t, v, v));
    x = sub(t, x, mul(t, v, as_column(t, share)));
  }
  return d.of(x);
}

const Op kReflect = {"reflect", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"reflect_shared",
     {{"n3"}, {"6", Domain::nonzero}},
     [](Tape& t, const Var* in) { return reflect(t, in[0], in[1], 2, false); }},
    {"reflect_rows",
     {{"n3"}, {"n6", Domain::nonzero}},
     [](Tape& t, const Var* in) { return reflect(t, in[0], in[1], 2, false); }},
    {"reflect_rows_reversed",
     {{"n3"}, {"n9", Domain::nonzero}},
     [](Tape& t, const Var* in) { return reflect(t, in[0], in[1], 3, true); }},
};

}  // namespace

extern const OpFamily family_reflect;
const OpFamily family_reflect = {"reflect", kCases, std::size(kCases)};

Var reflect(Tape& t, Var x, Var v, int64_t k, bool reversed) {
  if (v->out.shape.rank == 1) return householder(t, x, reshape(t, v, {k, x->out.shape[1]}), reversed);
  return t.record(kReflect, {x, v}, ReflectAttr{k, reversed});
}

}  // namespace libnf
