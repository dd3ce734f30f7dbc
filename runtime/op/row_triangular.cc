// Products y = L x and solves L y = x with a lower triangular matrix L per row. The bits of a row depend only on that
// row and its matrix. Substitution in order is backward stable; a zero on the diagonal gives infinities and NaN.
//   y = L x:  gx = L^T gy,             gL = tril(gy x^T)
//   L y = x:  L^T gx = gy (a solve),   gL = -tril(gx y^T)
#include "runtime/op/row_triangular.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/per_row.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kDiagonal, kEntries };

struct RowTriangularAttr {
  bool solve;
};
bool solves(const Node& n) { return n.attr<RowTriangularAttr>().solve; }
int64_t entries_of(int64_t d) { return d > 1 ? checked_mul(d, d - 1) / 2 : 0; }

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  const Dims& x = n.in[kX]->out.shape;
  need_row_params(n, kDiagonal, x[0], x[1]);
  if (n.in[kEntries])
    need_row_params(n, kEntries, x[0], entries_of(x[1]));
  else if (x[1] > 1)
    fail(Code::shape, "%s: a matrix of %lld columns has entries below its diagonal", n.op->name,
         static_cast<long long>(x[1]));
  Shapes s;
  s.out = x;
  return s;
}

template <class T>
struct Matrices {
  Matrices(const Node& n, int64_t rows, int64_t d) : diagonals(per_row<T>(n.view(kDiagonal), rows, d)) {
    if (n.in[kEntries]) entries = per_row<T>(n.view(kEntries), rows, entries_of(d));
  }
  // Returns row i of the matrix of batch row r, up to its diagonal.
  const T* below(int64_t r, int64_t i) const { return i == 0 ? nullptr : entries.row(r) + entries_of(i); }
  const T* diagonal(int64_t r) const { return diagonals.row(r); }
  Rows<T> diagonals, entries{};
};

template <class T>
void forward(Tape&, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out);
  const Matrices<T> l(n, x.rows, x.cols);
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t i = 0; i < x.cols; ++i) {
      const T* from = solves(n) ? y.row(r) : x.row(r);
      T dot = 0;
      if (i > 0) kernel::row_dot<T>(l.below(r, i), i, from, 0, 1, i, &dot);
      y.row(r)[i] = solves(n) ? (x.row(r)[i] - dot) / l.diagonal(r)[i] : dot + l.diagonal(r)[i] * x.row(r)[i];
    }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out), gy = matrix_of<T>(t.grad_out(n));
  const int64_t d = x.cols;
  const Matrices<T> l(n, x.rows, d);
  const ScratchScope scope(t);
  T *g = t.scratch<T>(d), *back = t.scratch<T>(d);
  Rows<T> gx{}, g_diagonal{}, g_entries{};
  if (grads.wants(kX)) gx = matrix_of<T>(grads.add(kX));
  if (grads.wants(kDiagonal)) g_diagonal = per_row<T>(grads.add(kDiagonal), x.rows, d);
  if (grads.wants(kEntries)) g_entries = per_row<T>(grads.add(kEntries), x.rows, entries_of(d));
  for (int64_t r = 0; r < x.rows; ++r) {
    kernel::copy<T>(gy.row(r), g, d);
    if (solves(n)) {
      for (int64_t i = d - 1; i >= 0; --i) {
        g[i] /= l.diagonal(r)[i];
        if (i > 0) kernel::axpy<T>(-g[i], l.below(r, i), g, i);
      }
      if (gx.p) kernel::accumulate<T>(g, gx.row(r), d);
    } else if (gx.p) {
      kernel::fill<T>(0, back, d);
      kernel::mul_add<T>(l.diagonal(r), g, back, d);
      for (int64_t i = 1; i < d; ++i) kernel::axpy<T>(g[i], l.below(r, i), back, i);
      kernel::accumulate<T>(back, gx.row(r), d);
    }
    // The vector that L multiplies, and the sign of the gradient.
    const T* met = solves(n) ? y.row(r) : x.row(r);
    if (solves(n)) kernel::scale<T>(-1, g, g, d);
    if (g_diagonal.p) kernel::mul_add<T>(g, met, g_diagonal.row(r), d);
    if (g_entries.p)
      for (int64_t i = 1; i < d; ++i) kernel::axpy<T>(g[i], met, g_entries.row(r) + entries_of(i), i);
  }
}

// Returns dL met, for the vector that L multiplies.
Var changed(Tape& t, Node& n, const InputTangents& d, Var met) {
  if (!d[kEntries] && !d[kDiagonal]) return nullptr;
  Var entries = n.in[kEntries] ? or_zeros(t, d[kEntries], n.in[kEntries]->out.shape) : nullptr;
  return row_triangular_product(t, met, entries, or_zeros(t, d[kDiagonal], n.in[kDiagonal]->out.shape));
}

// dy = L dx + dL x
OutputTangents product_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var dy = d[kX] ? row_triangular_product(t, d[kX], n.in[kEntries], n.in[kDiagonal]) : nullptr;
  return plus(t, n.out.shape, dy, changed(t, n, d, n.in[kX]));
}

// L dy = dx - dL y
OutputTangents solve_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var right = minus(t, n.out.shape, d[kX], changed(t, n, d, &n));
  return row_triangular_solve(t, right, n.in[kEntries], n.in[kDiagonal]);
}

const Op kOp[] = {{"row_triangular_product", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), product_tangent},
                  {"row_triangular_solve", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), solve_tangent}};

Var apply(Tape& t, bool solve, Var x, Var entries, Var diagonal) {
  return t.record(kOp[solve], {x, diagonal, entries}, RowTriangularAttr{solve});
}

template <bool kSolve>
Var all(Tape& t, const Var* in) {
  return apply(t, kSolve, in[0], in[1], in[2]);
}
template <bool kSolve>
Var one(Tape& t, const Var* in) {
  return apply(t, kSolve, in[0], nullptr, in[1]);
}

constexpr auto kPositive = Domain::positive;

const OpCase kCases[] = {
    {"row_triangular_product", {{"n4"}, {"n6"}, {"n4"}}, all<false>},
    {"row_triangular_product_mixed", {{"n4"}, {"n6"}, {"4"}}, all<false>},
    {"row_triangular_product_one_column", {{"n1"}, {"n1"}}, one<false>},
    {"row_triangular_solve", {{"n4"}, {"n6"}, {"n4", kPositive}}, all<true>},
    {"row_triangular_solve_mixed", {{"n4"}, {"6"}, {"n4", kPositive}}, all<true>},
    {"row_triangular_solve_one_column", {{"n1"}, {"n1", kPositive}}, one<true>},
};

}  // namespace

extern const OpFamily family_row_triangular;
const OpFamily family_row_triangular = {"row_triangular", kCases, std::size(kCases)};

Var row_triangular_product(Tape& t, Var x, Var entries, Var diagonal) { return apply(t, false, x, entries, diagonal); }
Var row_triangular_solve(Tape& t, Var y, Var entries, Var diagonal) { return apply(t, true, y, entries, diagonal); }

}  // namespace libnf
