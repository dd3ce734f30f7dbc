// A sequence of Householder reflections x <- x - 2 v_i (v_i.x)/(v_i.v_i) of every row, as matrix products instead of
// one reflection at a time (the compact WY form; Joffrain et al. 2006, Accumulating Householder transformations,
// revisited): with S_ij = v_i.v_j for i before j and S_ii = v_i.v_i/2,
//   s = x V^T,  w S = s,  y = x - w V.
// Gradients: with gw = -gy V^T and gs S^T = gw,
//   gx = gy + gs V,  gV = -w^T gy + gs^T x + (G + G^T) V,  G = -w^T gs on the entries of S, half of it on the diagonal.
// A zero v_i has no direction: the rows become NaN.
#include <algorithm>

#include "runtime/kernel/columns.h"
#include "runtime/kernel/gemm.h"

#include "runtime/kernel/triangular.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

using kernel::Into;
enum { kX, kV };

struct HouseholderAttr {
  bool reversed;
};
bool reversed_of(const Node& n) { return n.attr<HouseholderAttr>().reversed; }

// saved: S [k, k], then w [n, k].
Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  need_rank(n, kV, 2);
  need_extent(n, kV, 1, n.in[kX]->out.shape[1]);
  Shapes s;
  s.out = n.in[kX]->out.shape;
  const int64_t k = n.in[kV]->out.shape[0];
  s.saved = {k + s.out[0], k};
  s.has_saved = true;
  return s;
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), v = matrix_of<T>(n.view(kV)), y = matrix_of<T>(n.out);
  const int64_t k = v.rows, d = v.cols;
  t.count_products(x.rows * (2 * k * d + k * k));
  T* s = static_cast<T*>(n.saved);
  T* w = s + k * k;
  const ScratchScope scope(t);
  T* vt = t.scratch<T>(d * k);
  T* dots = t.scratch<T>(x.rows * k);
  kernel::transpose(k, d, v.p, v.ld, vt, k);
  kernel::gemm<T>(k, k, d, v.p, v.ld, 1, vt, k, s, k, Into::overwrite);
  for (int64_t i = 0; i < k; ++i) s[i * k + i] /= 2;
  kernel::gemm<T>(x.rows, k, d, x.p, x.ld, 1, vt, k, dots, k, Into::overwrite);
  kernel::triangular_solve<T>({!reversed_of(n), false}, x.rows, k, dots, k, s, k, w, k);
  kernel::scale<T>(-1, w, dots, x.rows * k);
  kernel::copy_rows<T>(x, y);
  kernel::gemm<T>(x.rows, d, k, dots, k, 1, v.p, v.ld, y.p, y.ld, Into::accumulate);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto x = matrix_of<T>(n.view(kX)), v = matrix_of<T>(n.view(kV)), gy = matrix_of<T>(t.grad_out(n));
  const int64_t k = v.rows, d = v.cols, rows = x.rows;
  const T* s = static_cast<const T*>(n.saved);
  const T* w = s + k * k;
  const bool upper = !reversed_of(n);
  const ScratchScope scope(t);
  T* transposed = t.scratch<T>(k * std::max(k, d));
  T* gw = t.scratch<T>(rows * k);
  T* gs = t.scratch<T>(rows * k);
  kernel::transpose(k, d, v.p, v.ld, transposed, k);
  kernel::gemm<T>(rows, k, d, gy.p, gy.ld, 1, transposed, k, gw, k, Into::overwrite);
  kernel::scale<T>(-1, gw, gw, rows * k);
  kernel::transpose(k, k, s, k, transposed, k);
  kernel::triangular_solve<T>({!upper, false}, rows, k, gw, k, transposed, k, gs, k);
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    kernel::binary_rows<T>(kernel::Binary::add, gx, gy, gx);
    kernel::gemm<T>(rows, d, k, gs, k, 1, v.p, v.ld, gx.p, gx.ld, Into::accumulate);
  }
  if (!grads.wants(kV)) return;
  const auto gv = matrix_of<T>(grads.add(kV));
  kernel::gemm<T>(k, d, rows, gs, 1, k, x.p, x.ld, gv.p, gv.ld, Into::accumulate);
  T* minus_w = gw;  // gw is no longer needed
  kernel::scale<T>(-1, w, minus_w, rows * k);
  kernel::gemm<T>(k, d, rows, minus_w, 1, k, gy.p, gy.ld, gv.p, gv.ld, Into::accumulate);
  T* g = t.scratch<T>(k * k);
  kernel::gemm<T>(k, k, rows, minus_w, 1, k, gs, k, g, k, Into::overwrite);
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = i + 1; j < k; ++j) g[i * k + j] = g[j * k + i] = upper ? g[i * k + j] : g[j * k + i];
  kernel::gemm<T>(k, d, k, g, k, 1, v.p, v.ld, gv.p, gv.ld, Into::accumulate);
}

// The formulas above as ordinary ops: rows of w^T solve with the triangle of V V^T, half of it on the diagonal.
Var expanded(Tape& t, Var x, Var v, bool reversed) {
  const int64_t k = v->out.shape[0], beside = k * (k - 1) / 2;
  int32_t *pairs = t.scratch<int32_t>(beside), *squares = t.scratch<int32_t>(k);
  for (int64_t i = 0, at = 0; i < k; ++i) {
    squares[i] = static_cast<int32_t>(i * k + i);
    for (int64_t j = reversed ? i + 1 : 0; j < (reversed ? k : i); ++j) pairs[at++] = static_cast<int32_t>(i * k + j);
  }
  Var turned = transpose(t, v), dots = reshape(t, matmul(t, v, turned), {1, k * k});
  Var entries = beside ? reshape(t, gather_columns(t, dots, pairs, beside), {beside}) : nullptr;
  Var diagonal = scale(t, reshape(t, gather_columns(t, dots, squares, k), {k}), 0.5);
  const Triangle part = reversed ? Triangle::upper : Triangle::lower;
  Var w = triangular_solve(t, part, matmul(t, x, turned), entries, diagonal);
  return sub(t, x, matmul(t, w, v));
}

// The sequence is linear in x.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  if (!d[kV] || n.in[kV]->out.shape[0] == 0) return d[kX] ? householder(t, d[kX], n.in[kV], reversed_of(n)) : nullptr;
  return d.of(expanded(t, n.in[kX], n.in[kV], reversed_of(n)));
}

const Op kHouseholder = {"householder", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"householder",
     {{"n5"}, {"c5", Domain::positive}},
     [](Tape& t, const Var* in) { return householder(t, in[0], in[1], false); }},
    {"householder_reversed",
     {{"n5"}, {"35"}},
     [](Tape& t, const Var* in) { return householder(t, in[0], in[1], true); }},
};

}  // namespace

extern const OpFamily family_householder;
const OpFamily family_householder = {"householder", kCases, std::size(kCases)};

Var householder(Tape& t, Var x, Var v, bool reversed) {
  return t.record(kHouseholder, {x, v}, HouseholderAttr{reversed});
}

}  // namespace libnf
