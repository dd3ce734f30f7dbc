// Products of rows with a matrix A that is shared or given per row: y = A x, or x = A^T y (transposed). A shared matrix
// uses matrix products. The bits of a row depend only on that row and its matrix.
//   y = A x:    gx = A^T gy,  gA = gy x^T
//   z = A^T x:  gx = A gz,    gA = x gz^T
#include "runtime/op/row_matrix.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Into;
enum { kX, kA };

struct RowMatrixAttr {
  int64_t m;  // rows of A
  bool transposed;
};
bool transposed_of(const Node& n) { return n.attr<RowMatrixAttr>().transposed; }
bool by_row(const Node& n) { return n.in[kA]->out.shape.rank == 2; }

struct Extents {
  int64_t rows, m, d;  // A is [m, d]
};
Extents extents_of(const Node& n) {
  const int64_t m = n.attr<RowMatrixAttr>().m, in = n.in[kX]->out.shape[1];
  const Dims& a = n.in[kA]->out.shape;
  const int64_t numbers = a.last();
  return {n.in[kX]->out.shape[0], m, transposed_of(n) ? (m > 0 ? numbers / m : 0) : in};
}

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  if (by_row(n))
    need_extent(n, kA, 0, n.in[kX]->out.shape[0]);
  else
    need_rank(n, kA, 1);
  const Extents e = extents_of(n);
  if (transposed_of(n)) need_extent(n, kX, 1, e.m);
  need_extent(n, kA, by_row(n) ? 1 : 0, checked_mul(e.m, e.d));
  Shapes s;
  s.out = {e.rows, transposed_of(n) ? e.d : e.m};
  return s;
}

// Adds y += A x or A^T x, into rows of y.
template <class T>
void multiply(Tape& t, const Extents& e, const Rows<T>& a, bool rows, bool transposed, const Rows<T>& x,
              const Rows<T>& y) {
  if (!rows) {
    if (transposed) return kernel::gemm<T>(e.rows, e.d, e.m, x.p, x.ld, 1, a.p, e.d, y.p, y.ld, Into::accumulate);
    const ScratchScope scope(t);
    T* turned = t.scratch<T>(e.d * e.m);
    kernel::transpose(e.m, e.d, a.p, e.d, turned, e.m);
    return kernel::gemm<T>(e.rows, e.m, e.d, x.p, x.ld, 1, turned, e.m, y.p, y.ld, Into::accumulate);
  }
  const ScratchScope scope(t);
  T* dots = t.scratch<T>(e.m);
  for (int64_t r = 0; r < e.rows; ++r) {
    if (transposed) {
      for (int64_t i = 0; i < e.m; ++i) kernel::axpy(x.row(r)[i], a.row(r) + i * e.d, y.row(r), e.d);
    } else {
      kernel::row_dot<T>(a.row(r), e.d, x.row(r), 0, e.m, e.d, dots);
      kernel::accumulate(dots, y.row(r), e.m);
    }
  }
}

template <class T>
Rows<T> matrix_rows(const View& v) {
  if (v.shape.rank == 1) return {v.as<T>(), 1, v.shape[0], v.shape[0]};
  return matrix_of<T>(v);
}

template <class T>
void forward(Tape& t, Node& n) {
  const Extents e = extents_of(n);
  t.count_products(e.rows * e.m * e.d);
  kernel::fill<T>(0, n.y<T>(), n.out.count());
  multiply<T>(t, e, matrix_rows<T>(n.view(kA)), by_row(n), transposed_of(n), matrix_of<T>(n.view(kX)),
              matrix_of<T>(n.out));
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const Extents e = extents_of(n);
  const bool rows = by_row(n), transposed = transposed_of(n);
  const auto g = matrix_of<T>(t.grad_out(n)), x = matrix_of<T>(n.view(kX));
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    multiply<T>(t, e, matrix_rows<T>(n.view(kA)), rows, !transposed, g, gx);
  }
  if (!grads.wants(kA)) return;
  const auto ga = matrix_rows<T>(grads.add(kA));
  const Rows<T>&left = transposed ? x : g, &right = transposed ? g : x;  // gA = left^T right, summed or per row
  if (!rows)
    return kernel::gemm<T>(e.m, e.d, e.rows, left.p, 1, left.ld, right.p, right.ld, ga.p, e.d, Into::accumulate);
  for (int64_t r = 0; r < e.rows; ++r)
    for (int64_t i = 0; i < e.m; ++i) kernel::axpy(left.row(r)[i], right.row(r), ga.row(r) + i * e.d, e.d);
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& [m, transposed] = n.attr<RowMatrixAttr>();
  Var dy = d[kX] ? row_matrix(t, d[kX], n.in[kA], m, transposed) : nullptr;
  return plus(t, n.out.shape, dy, d[kA] ? row_matrix(t, n.in[kX], d[kA], m, transposed) : nullptr);
}

const Op kRowMatrix = {"row_matrix", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

template <bool kTransposed>
Var apply(Tape& t, const Var* in) {
  return row_matrix(t, in[0], in[1], 2, kTransposed);
}

const OpCase kCases[] = {
    {"row_matrix_shared", {{"n3"}, {"6"}}, apply<false>},
    {"row_matrix_shared_transposed", {{"n2"}, {"6"}}, apply<true>},
    {"row_matrix_rows", {{"n3"}, {"n6"}}, apply<false>},
    {"row_matrix_rows_transposed", {{"n2"}, {"n6"}}, apply<true>},
};

}  // namespace

extern const OpFamily family_row_matrix;
const OpFamily family_row_matrix = {"row_matrix", kCases, std::size(kCases)};

Var row_matrix(Tape& t, Var x, Var a, int64_t m, bool transposed) {
  return t.record(kRowMatrix, {x, a}, RowMatrixAttr{m, transposed});
}

}  // namespace libnf
