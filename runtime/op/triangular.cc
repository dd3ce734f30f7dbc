// Products and solves with a triangular matrix A stored as its off-diagonal entries, row by row, and its diagonal:
// y = A x per row of x, and its inverse. With B = A^T, rows are multiplied from the left: y = x B.
//   y = x B:  gx = gy A,            gA = tril or triu(gy^T x)
//   y B = x:  gx A = gy (a solve),  gA = -tril or triu(gx^T y)
// Accuracy: one FMA chain per element; the solve is substitution in blocks, backward stable (kernel/triangular.h).
#include "runtime/kernel/triangular.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kEntries, kDiagonal };

struct TriangularAttr {
  Triangle part;
};
Triangle part_of(const Node& n) { return n.attr<TriangularAttr>().part; }

// saved: A^T, dense with zeros.
Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  const int64_t d = n.in[kX]->out.shape[1], entries = d > 0 ? checked_mul(d, d - 1) / 2 : 0;
  if (n.in[kEntries] || entries > 0) {
    if (!n.in[kEntries])
      fail(Code::shape, "%s: input 1 is missing, expected [%lld]", n.op->name, static_cast<long long>(entries));
    need_rank(n, kEntries, 1);
    need_extent(n, kEntries, 0, entries);
  }
  if (n.in[kDiagonal]) {
    need_rank(n, kDiagonal, 1);
    need_extent(n, kDiagonal, 0, d);
  }
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.saved = {d, d};
  s.has_saved = true;
  return s;
}

// Calls f(first entry, row i, first column, count) for the entries of every row of A, which are contiguous.
template <class F>
void each_run(Triangle part, int64_t d, F&& f) {
  int64_t at = 0;
  for (int64_t i = 0; i < d; ++i) {
    const int64_t first = part == Triangle::lower ? 0 : i + 1;
    const int64_t count = part == Triangle::lower ? i : d - 1 - i;
    f(at, i, first, count);
    at += count;
  }
}

template <class T>
void unpack(const Node& n, int64_t d, T* a) {
  const T *entries = n.x<T>(kEntries), *diagonal = n.x<T>(kDiagonal);
  kernel::fill<T>(0, a, d * d);
  each_run(part_of(n), d, [&](int64_t at, int64_t i, int64_t first, int64_t count) {
    for (int64_t c = 0; c < count; ++c) a[i * d + first + c] = entries[at + c];
    a[i * d + i] = diagonal ? diagonal[i] : T(1);
  });
}

// Writes A^T to the saved memory; only the transposed triangle is used.
template <class T>
const T* unpack_transposed(Tape& t, Node& n, int64_t d) {
  const ScratchScope scope(t);
  T* a = t.scratch<T>(d * d);
  T* b = static_cast<T*>(n.saved);
  unpack(n, d, a);
  kernel::transpose(d, d, a, d, b, d);
  return b;
}

// Adds `sign` times the triangle of g = gA to the gradients of entries and diagonal.
template <class T>
void pack_gradient(const InputGrads& grads, const Node& n, int64_t d, const T* g, T sign) {
  T* entries = grads.wants(kEntries) ? grads.add(kEntries).as<T>() : nullptr;
  T* diagonal = grads.wants(kDiagonal) ? grads.add(kDiagonal).as<T>() : nullptr;
  each_run(part_of(n), d, [&](int64_t at, int64_t i, int64_t first, int64_t count) {
    if (entries)
      for (int64_t c = 0; c < count; ++c) entries[at + c] += sign * g[i * d + first + c];
    if (diagonal) diagonal[i] += sign * g[i * d + i];
  });
}

bool wants_matrix(const InputGrads& grads) { return grads.wants(kEntries) || grads.wants(kDiagonal); }

template <class T>
void product_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX));
  const int64_t d = x.cols;
  const T* b = unpack_transposed<T>(t, n, d);
  t.count_products(x.rows * d * d / 2);
  kernel::triangular_multiply<T>(part_of(n) == Triangle::lower, x.rows, d, x.p, x.ld, b, d, n.y<T>(), d);
}

template <class T>
void product_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = matrix_of<T>(n.view(kX)), gy = matrix_of<T>(t.grad_out(n));
  const int64_t d = x.cols;
  const bool upper = part_of(n) == Triangle::upper;
  const ScratchScope scope(t);
  T* a = t.scratch<T>(d * d);
  if (grads.wants(kX)) {
    T* g = t.scratch<T>(x.rows * d);
    kernel::transpose(d, d, static_cast<const T*>(n.saved), d, a, d);
    kernel::triangular_multiply<T>(upper, x.rows, d, gy.p, gy.ld, a, d, g, d);
    const auto gx = matrix_of<T>(grads.add(kX));
    kernel::binary_rows<T>(kernel::Binary::add, gx, {g, x.rows, d, d}, gx);
  }
  if (wants_matrix(grads)) {
    kernel::triangular_outer<T>(upper, x.rows, d, gy.p, gy.ld, x.p, x.ld, a, d);
    pack_gradient<T>(grads, n, d, a, 1);
  }
}

template <class T>
void solve_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX));
  const int64_t d = x.cols;
  const T* b = unpack_transposed<T>(t, n, d);
  t.count_products(x.rows * d * d / 2);
  kernel::triangular_solve<T>({part_of(n) == Triangle::lower, !n.in[kDiagonal]}, x.rows, d, x.p, x.ld, b, d, n.y<T>(),
                              d);
}

template <class T>
void solve_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto y = matrix_of<T>(n.out), gy = matrix_of<T>(t.grad_out(n));
  const int64_t d = y.cols;
  const bool upper = part_of(n) == Triangle::upper;
  const ScratchScope scope(t);
  T* a = t.scratch<T>(d * d);
  T* g = t.scratch<T>(y.rows * d);
  kernel::transpose(d, d, static_cast<const T*>(n.saved), d, a, d);
  kernel::triangular_solve<T>({upper, !n.in[kDiagonal]}, y.rows, d, gy.p, gy.ld, a, d, g, d);
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    kernel::binary_rows<T>(kernel::Binary::add, gx, {g, y.rows, d, d}, gx);
  }
  if (wants_matrix(grads)) {
    kernel::triangular_outer<T>(upper, y.rows, d, g, d, y.p, y.ld, a, d);
    pack_gradient<T>(grads, n, d, a, -1);
  }
}

// Returns dA x for the tangents of entries and diagonal.
Var changed(Tape& t, Node& n, Var x, const InputTangents& dx) {
  if (!dx[kEntries] && !dx[kDiagonal]) return nullptr;
  const int64_t d = x->out.shape[1];
  Var entries = n.in[kEntries] ? or_zeros(t, dx[kEntries], n.in[kEntries]->out.shape) : nullptr;
  return triangular_product(t, part_of(n), x, entries, or_zeros(t, dx[kDiagonal], {d}));
}

OutputTangents product_tangent(Tape& t, Node& n, const InputTangents& dx) {
  Var moved = dx[kX] ? triangular_product(t, part_of(n), dx[kX], n.in[kEntries], n.in[kDiagonal]) : nullptr;
  return plus(t, n.out.shape, moved, changed(t, n, n.in[kX], dx));
}

// A dy = dx - dA y
OutputTangents solve_tangent(Tape& t, Node& n, const InputTangents& dx) {
  Var right = minus(t, n.out.shape, dx[kX], changed(t, n, &n, dx));
  return triangular_solve(t, part_of(n), right, n.in[kEntries], n.in[kDiagonal]);
}

const Op kProduct = {"triangular_product",     Layout::rows,         shape,
                     NF_BOTH(product_forward), NF_BOTH(product_vjp), product_tangent};
const Op kSolve = {"triangular_solve", Layout::rows, shape, NF_BOTH(solve_forward), NF_BOTH(solve_vjp), solve_tangent};

template <Triangle kPart>
Var product_case(Tape& t, const Var* in) {
  return triangular_product(t, kPart, in[0], in[1], in[2]);
}
template <Triangle kPart>
Var solve_case(Tape& t, const Var* in) {
  return triangular_solve(t, kPart, in[0], in[1], in[2]);
}

constexpr auto kPositive = Domain::positive;

// 4 columns have 6 off-diagonal entries; tests/runtime/kernel/triangular_test.cc tests larger sizes.
const OpCase kCases[] = {
    {"triangular_product_lower", {{"n4"}, {"6"}, {"4"}}, product_case<Triangle::lower>},
    {"triangular_product_upper", {{"n4"}, {"6"}, {"4"}}, product_case<Triangle::upper>},
    {"triangular_product_unit",
     {{"n4"}, {"6"}},
     [](Tape& t, const Var* in) { return triangular_product(t, Triangle::lower, in[0], in[1], nullptr); }},
    {"triangular_product_one_column",
     {{"n1"}, {"1"}},
     [](Tape& t, const Var* in) { return triangular_product(t, Triangle::upper, in[0], nullptr, in[1]); }},
    {"triangular_solve_lower", {{"n4"}, {"6"}, {"4", kPositive}}, solve_case<Triangle::lower>},
    {"triangular_solve_upper", {{"n4"}, {"6"}, {"4", kPositive}}, solve_case<Triangle::upper>},
    {"triangular_solve_unit",
     {{"n4"}, {"6"}},
     [](Tape& t, const Var* in) { return triangular_solve(t, Triangle::upper, in[0], in[1], nullptr); }},
};

}  // namespace

extern const OpFamily family_triangular;
const OpFamily family_triangular = {"triangular", kCases, std::size(kCases)};

Var triangular_product(Tape& t, Triangle part, Var x, Var entries, Var diagonal) {
  return t.record(kProduct, {x, entries, diagonal}, TriangularAttr{part});
}

Var triangular_solve(Tape& t, Triangle part, Var y, Var entries, Var diagonal) {
  return t.record(kSolve, {y, entries, diagonal}, TriangularAttr{part});
}

}  // namespace libnf
