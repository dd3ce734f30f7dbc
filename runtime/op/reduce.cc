// Sums, means, maxima and log-sum-exps over an axis, and dot products of rows.
//   sum(x) = sum over all,  sum_last: over the last axis,  sum_first: over the first,  mean...: divided by the count
//   logsumexp = log sum e^x over the last axis, shifted by the maximum: accurate for values of any size
//   max_last: the gradient goes to the first of equal maxima
// The order of summation depends only on the extents (runtime/kernel/reduce.h). An empty sum is 0, an empty mean NaN,
// an empty maximum or logsumexp -inf.
#include "runtime/kernel/reduce.h"

#include <limits>

#include "runtime/kernel/binary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

void need_axis(const Node& n, int input) {
  if (n.in[input]->out.shape.rank == 0)
    fail(Code::shape, "%s: input %d is a scalar, it has no axis", n.op->name, input);
}

Shapes without_last(const Node& n) {
  need_axis(n, 0);
  Shapes s;
  s.out = n.in[0]->out.shape;
  s.out.d[--s.out.rank] = 0;
  return s;
}

// ---- sums ----

Shapes scalar_shape(const Node&) { return Shapes{}; }

template <class T>
void sum_forward(Tape&, Node& n) {
  const int64_t count = n.view(0).count();
  kernel::row_sum(n.x<T>(0), count, 1, count, n.y<T>());
}

template <class T>
void sum_vjp(Tape& t, Node& n, const InputGrads& grads) {
  T* gx = grads.add(0).as<T>();
  kernel::binary_scalar(kernel::Binary::add, gx, *t.grad_out(n).template as<T>(), gx, n.view(0).count());
}

const Op kSum = {"sum",
                 Layout::contiguous,
                 scalar_shape,
                 NF_BOTH(sum_forward),
                 NF_BOTH(sum_vjp),
                 [](Tape& t, Node&, const InputTangents& d) -> OutputTangents { return sum(t, d[0]); }};

template <class T>
void sum_last_forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0));
  kernel::row_sum(x.p, x.ld, x.rows, x.cols, n.y<T>());
}

template <class T>
void sum_last_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gx = last_axis_of<T>(grads.add(0));
  kernel::add_col(t.grad_out(n).template as<T>(), gx.p, gx.ld, gx.rows, gx.cols);
}

const Op kSumLast = {"sum_last",
                     Layout::rows,
                     without_last,
                     NF_BOTH(sum_last_forward),
                     NF_BOTH(sum_last_vjp),
                     [](Tape& t, Node&, const InputTangents& d) -> OutputTangents { return sum_last(t, d[0]); }};

Shapes without_first(const Node& n) {
  need_axis(n, 0);
  const Dims& d = n.in[0]->out.shape;
  Shapes s;
  s.out.rank = d.rank - 1;
  for (int i = 0; i < s.out.rank; ++i) s.out.d[i] = d[i + 1];
  return s;
}

// Returns the view as [first extent, all others].
template <class T>
Rows<T> first_axis_of(const View& v) {
  if (!v.contiguous()) return matrix_of<T>(v);
  int64_t cols = 1;
  for (int i = 1; i < v.shape.rank; ++i) cols *= v.shape[i];
  return {v.as<T>(), v.shape[0], cols, cols};
}

template <class T>
void sum_first_forward(Tape&, Node& n) {
  const auto x = first_axis_of<T>(n.view(0));
  kernel::fill(T(0), n.y<T>(), x.cols);
  kernel::col_sum_add(x.p, x.ld, x.rows, x.cols, n.y<T>());
}

template <class T>
void sum_first_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gx = first_axis_of<T>(grads.add(0));
  kernel::add_row(t.grad_out(n).template as<T>(), gx.p, gx.ld, gx.rows, gx.cols);
}

const Op kSumFirst = {"sum_first",
                      Layout::rows,
                      without_first,
                      NF_BOTH(sum_first_forward),
                      NF_BOTH(sum_first_vjp),
                      [](Tape& t, Node&, const InputTangents& d) -> OutputTangents { return sum_first(t, d[0]); }};

// ---- maximum ----

template <class T>
void max_forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0));
  kernel::row_max(x.p, x.ld, x.rows, x.cols, n.y<T>());
}

template <class T>
void max_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = last_axis_of<T>(n.view(0)), gx = last_axis_of<T>(grads.add(0));
  const T *y = n.y<T>(), *gy = t.grad_out(n).template as<T>();
  for (int64_t r = 0; r < x.rows; ++r) {
    int64_t c = 0;
    while (c < x.cols && x.row(r)[c] != y[r]) ++c;
    if (c < x.cols) gx.row(r)[c] += gy[r];
  }
}

// Returns the tangent of the first maximum; unspecified for rows without one (empty or with NaN).
OutputTangents max_tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t rows = n.out.count();
  if (n.in[0]->out.shape.last() == 0) return nullptr;
  int32_t* index = t.scratch<int32_t>(rows);
  with_dtype(t.dtype(), [&]<class T>() {
    const auto x = last_axis_of<T>(n.view(0));
    for (int64_t r = 0; r < rows; ++r) {
      int32_t c = 0;
      while (c < x.cols && x.row(r)[c] != n.y<T>()[r]) ++c;
      index[r] = c < x.cols ? c : 0;
    }
  });
  return reshape(t, gather_last(t, d[0], index, 1), n.out.shape);
}

const Op kMaxLast = {"max_last", Layout::rows, without_last, NF_BOTH(max_forward), NF_BOTH(max_vjp), max_tangent};

// ---- logsumexp ----

template <class T>
void logsumexp_forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0));
  kernel::row_logsumexp(x.p, x.ld, x.rows, x.cols, n.y<T>());
}

// The derivative is softmax(x); zero for a row of -inf, whose value does not change with any single element.
template <class T>
void logsumexp_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = last_axis_of<T>(n.view(0)), gx = last_axis_of<T>(grads.add(0));
  const T *y = n.y<T>(), *gy = t.grad_out(n).template as<T>();
  const ScratchScope scope(t);
  T* d = t.scratch<T>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    if (y[r] == -std::numeric_limits<T>::infinity()) continue;
    kernel::softmax(x.row(r), x.cols, d, x.cols, 1, x.cols);
    kernel::axpy(gy[r], d, gx.row(r), x.cols);
  }
}

OutputTangents logsumexp_tangent(Tape& t, Node& n, const InputTangents& d) {
  return row_dot(t, softmax(t, n.in[0]), d[0]);
}

const Op kLogsumexp = {"logsumexp",      Layout::rows, without_last, NF_BOTH(logsumexp_forward), NF_BOTH(logsumexp_vjp),
                       logsumexp_tangent};

// ---- row_dot ----

Shapes dot_shape(const Node& n) {
  const Dims& d = n.in[0]->out.shape;
  if (!(n.in[1]->out.shape == d))
    fail(Code::shape, "%s: input 1 has shape %s, expected that of input 0, %s", n.op->name,
         to_string(n.in[1]->out.shape).c_str(), to_string(d).c_str());
  return without_last(n);
}

template <class T>
void dot_forward(Tape&, Node& n) {
  const auto a = last_axis_of<T>(n.view(0)), b = last_axis_of<T>(n.view(1));
  kernel::row_dot(a.p, a.ld, b.p, b.ld, a.rows, a.cols, n.y<T>());
}

template <class T>
void dot_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const T* gy = t.grad_out(n).template as<T>();
  for (int i = 0; i < 2; ++i) {
    if (!grads.wants(i)) continue;
    const auto other = last_axis_of<T>(n.view(1 - i)), g = last_axis_of<T>(grads.add(i));
    for (int64_t r = 0; r < g.rows; ++r) kernel::axpy(gy[r], other.row(r), g.row(r), g.cols);
  }
}

OutputTangents dot_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var y = d[0] ? row_dot(t, d[0], n.in[1]) : nullptr;
  return plus(t, n.out.shape, y, d[1] ? row_dot(t, n.in[0], d[1]) : nullptr);
}

const Op kRowDot = {"row_dot", Layout::rows, dot_shape, NF_BOTH(dot_forward), NF_BOTH(dot_vjp), dot_tangent};

double reciprocal(int64_t count) { return 1.0 / static_cast<double>(count); }

const OpCase kCases[] = {
    {"sum", {{"nd"}}, [](Tape& t, const Var* in) { return sum(t, in[0]); }},
    {"mean", {{"nd"}}, [](Tape& t, const Var* in) { return mean(t, in[0]); }},
    {"sum_last", {{"nd"}}, [](Tape& t, const Var* in) { return sum_last(t, in[0]); }},
    {"sum_last_vector", {{"d"}}, [](Tape& t, const Var* in) { return sum_last(t, in[0]); }},
    {"sum_last_cube", {{"ncd"}}, [](Tape& t, const Var* in) { return sum_last(t, in[0]); }},
    {"mean_last", {{"nd"}}, [](Tape& t, const Var* in) { return mean_last(t, in[0]); }},
    {"sum_first", {{"dn"}}, [](Tape& t, const Var* in) { return sum_first(t, in[0]); }},
    {"sum_first_cube", {{"dcn"}}, [](Tape& t, const Var* in) { return sum_first(t, in[0]); }},
    {"mean_first", {{"dn"}}, [](Tape& t, const Var* in) { return mean_first(t, in[0]); }},
    {"max_last", {{"nd"}}, [](Tape& t, const Var* in) { return max_last(t, in[0]); }, false},
    {"logsumexp", {{"nd"}}, [](Tape& t, const Var* in) { return logsumexp(t, in[0]); }},
    {"row_dot", {{"nd"}, {"nd"}}, [](Tape& t, const Var* in) { return row_dot(t, in[0], in[1]); }},
};

}  // namespace

extern const OpFamily family_reduce;
const OpFamily family_reduce = {"reduce", kCases, std::size(kCases)};

Var sum(Tape& t, Var x) { return t.record(kSum, {x}); }
Var sum_last(Tape& t, Var x) { return t.record(kSumLast, {x}); }
Var sum_first(Tape& t, Var x) { return t.record(kSumFirst, {x}); }
Var mean(Tape& t, Var x) { return scale(t, sum(t, x), reciprocal(x->out.count())); }
Var mean_last(Tape& t, Var x) { return scale(t, sum_last(t, x), reciprocal(x->out.shape.last())); }
Var mean_first(Tape& t, Var x) { return scale(t, sum_first(t, x), reciprocal(x->out.rows())); }
Var max_last(Tape& t, Var x) { return t.record(kMaxLast, {x}); }
Var logsumexp(Tape& t, Var x) { return t.record(kLogsumexp, {x}); }
Var row_dot(Tape& t, Var a, Var b) { return t.record(kRowDot, {a, b}); }

}  // namespace libnf
