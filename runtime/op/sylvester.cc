// The core of Sylvester flows (van den Berg et al. 2018, eq. 8-13), per row of y [n, m], with R1 and R2 upper
// triangular and their diagonals t1 and t2 in (-1, 1):
//   y' = y + v,  v = R1 h,  h = tanh(a),  a = R2 y + b,  log_det = sum_j log(1 + h'_j t1_j t2_j)  (h' = 1 - h^2).
// Inverse, from the last unit to the first, with all units after j known: a_j solves
//   a_j + t1_j t2_j tanh(a_j) = b_j + sum_{k>j} R2_jk y_k + t2_j (y'_j - s_j),  s_j = sum_{k>j} R1_jk h_k,
// an increasing function (runtime/op/ridge_root.h); then v_j = s_j + t1_j h_j, y_j = y'_j - v_j. The cost is that of
// the forward map plus m solves. Gradients are those of the implicit function, with the transposed substitution:
//   det_j g_j = -gv_j + sum_{k<j} R2_kj ga_k - t2_j (h'_j c_j + gl dl_j),  c_j = sum_{i<j} R1_ij g_i,
//   ga_j = -h'_j (c_j + t1_j g_j) - gl dl_j   for g the gradient of y' through y, minus that of v.
// Accuracy: one FMA chain per sum. If some t1_j t2_j is near -1, digits are lost as in planar.cc.
//
// Data are stored by unit, [m, n]; parameters are scalars or vectors over the rows.
#include "runtime/op/sylvester.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/ridge_root.h"
#include "runtime/op/row_matrix.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Binary;
using kernel::Into;
using kernel::Ridge;
using kernel::Unary;
enum { kY, kP };

struct SylvesterAttr {
  bool inverse;
  RootLimits limits;
};
bool inverse_of(const Node& n) { return n.attr<SylvesterAttr>().inverse; }
bool by_row(const Node& n) { return n.in[kP]->out.shape.rank == 2; }
int64_t numbers(int64_t m) { return checked_mul(m, checked_add(m, 2)); }

template <class T>
struct Core {
  int64_t m, n, sets;
  bool rows;
  T *y, *a, *h;        // [m, n]; y is the source of the map in both directions
  T *t1, *t2, *slope;  // [m, sets]: tanh of the raw diagonals, 1 + t1 t2
  T* p;                // [m m + 2 m, sets]; copied only for `rows`
  static int64_t size(int64_t m, int64_t n, bool rows) {
    const int64_t kept = checked_add(checked_mul(3 * m, n), checked_mul(3 * m, rows ? n : 1));
    return rows ? checked_add(kept, checked_mul(numbers(m), n)) : kept;
  }
  explicit Core(const Node& node)
      : m(node.out.shape[1]), n(node.out.shape[0]), sets(by_row(node) ? n : 1), rows(by_row(node)) {
    y = static_cast<T*>(node.saved);
    a = y + m * n;
    h = a + m * n;
    t1 = h + m * n;
    t2 = t1 + m * sets;
    slope = t2 + m * sets;
    p = rows ? slope + m * sets : const_cast<T*>(node.x<T>(kP));
  }
  int64_t step() const { return rows ? 1 : 0; }
  // Strictly triangular entries; both are stored in F.
  const T* r1(int64_t j, int64_t k) const { return p + (j * m + k) * sets; }
  const T* r2(int64_t j, int64_t k) const { return r1(k, j); }
  const T* raw2() const { return p + m * m * sets; }
  const T* bias(int64_t j) const { return p + (m * m + m + j) * sets; }

  // Adds sum[r] += f[r] x[r], where f is a parameter.
  void add(const T* f, const T* x, T* sum) const {
    if (rows)
      kernel::mul_add(f, x, sum, n);
    else
      kernel::axpy(*f, x, sum, n);
  }
  // Adds sum[r] += sum_i f_i x_i[r] over `count` parameters f_i = f[i stride], x_i by unit.
  void add_products(const T* f, int64_t stride, const T* x, int64_t count, T* sum) const {
    if (rows)
      for (int64_t i = 0; i < count; ++i) kernel::mul_add(f + i * stride * n, x + i * n, sum, n);
    else if (count > 0)
      kernel::gemm_columns<T>(1, n, count, f, count, stride, x, n, sum, n, Into::accumulate);
  }
  void add_r1(int64_t j, const T* x, T* sum) const { add_products(r1(j, j + 1), 1, x + (j + 1) * n, m - 1 - j, sum); }
  void add_r2(int64_t j, const T* x, T* sum) const { add_products(r2(j, j + 1), m, x + (j + 1) * n, m - 1 - j, sum); }
  void add_r1_transposed(int64_t k, const T* x, T* sum) const { add_products(r1(0, k), m, x, k, sum); }
  void add_r2_transposed(int64_t k, const T* x, T* sum) const { add_products(r2(0, k), 1, x, k, sum); }
  void start_with_bias(int64_t j, T* sum) const {
    if (rows)
      kernel::copy(bias(j), sum, n);
    else
      kernel::fill<T>(*bias(j), sum, n);
  }
};

Shapes shape(const Node& n) {
  need_rank(n, kY, 2);
  Shapes s;
  s.out = n.in[kY]->out.shape;
  if (by_row(n))
    need_extent(n, kP, 0, s.out[0]);
  else
    need_rank(n, kP, 1);
  need_extent(n, kP, by_row(n) ? 1 : 0, numbers(s.out[1]));
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {Core<float>::size(s.out[1], s.out[0], by_row(n))};
  s.has_saved = true;
  return s;
}

template <class T>
void diagonals(const Core<T>& c) {
  for (int64_t j = 0; j < c.m; ++j) kernel::copy(c.r1(j, j), c.t1 + j * c.sets, c.sets);
  kernel::copy(c.raw2(), c.t2, c.m * c.sets);
  kernel::unary<T>(Unary::tanh, 0, c.t1, c.t1, 2 * c.m * c.sets);  // t1 and t2 are adjacent
  kernel::fill<T>(1, c.slope, c.m * c.sets);
  kernel::mul_add(c.t1, c.t2, c.slope, c.m * c.sets);
}

template <class T>
void forward(Tape& t, Node& node) {
  const auto in = matrix_of<T>(node.view(kY)), out = matrix_of<T>(node.out);
  const Core<T> c(node);
  const int64_t n = c.n, m = c.m;
  T* log_det = node.extra->y<T>();
  kernel::fill<T>(0, log_det, n);
  if (n == 0 || m == 0) return;
  kernel::transpose(n, m, in.p, in.ld, c.y, n);
  if (c.rows) {
    const auto p = matrix_of<T>(node.view(kP));
    kernel::transpose(n, p.cols, p.p, p.ld, c.p, n);
  }
  diagonals(c);
  const ScratchScope scope(t);
  T *v = t.scratch<T>(m * n), *l = t.scratch<T>(n);
  kernel::fill<T>(0, v, m * n);
  for (int64_t j = m; j-- > 0;) {
    T *y = c.y + j * n, *a = c.a + j * n, *h = c.h + j * n, *vj = v + j * n;
    const T *t1 = c.t1 + j * c.sets, *t2 = c.t2 + j * c.sets, *slope = c.slope + j * c.sets;
    c.start_with_bias(j, a);
    c.add_r2(j, c.y, a);
    c.add_r1(j, c.h, vj);
    if (inverse_of(node)) {
      kernel::binary(Binary::sub, y, vj, y, n);
      c.add(t2, y, a);
      ridge_root<T>(t, Ridge::tanh, T(0), node.attr<SylvesterAttr>().limits, slope, c.step(), a, n);
    } else {
      c.add(t2, y, a);
    }
    kernel::ridge(Ridge::tanh, T(0), a, slope, c.step(), h, l, n);
    kernel::accumulate(l, log_det, n);
    kernel::fill<T>(0, l, n);
    c.add(t1, h, l);
    kernel::accumulate(l, vj, n);
    if (inverse_of(node)) kernel::binary(Binary::sub, y, l, y, n);
  }
  if (inverse_of(node)) kernel::scale<T>(-1, log_det, log_det, n);
  kernel::transpose(m, n, v, n, out.p, out.ld);
}

// Computes gradients of the parameters from the gradients gv of v, ga of a, and that of every 1 + t1 t2 (g_slope).
template <class T>
void parameters_vjp(Tape& t, const InputGrads& grads, const Core<T>& c, const T* gv, const T* ga, const T* g_slope) {
  const int64_t n = c.n, m = c.m, sets = c.sets, count = numbers(m);
  const ScratchScope scope(t);
  T *gp = t.scratch<T>(count * sets), *slope = t.scratch<T>(m * sets);
  const auto products = [&](const T* x, const T* g, int64_t rows, T* out) {  // out_i = g x_i per row or summed
    if (!c.rows) return kernel::row_dot(x, n, g, 0, rows, n, out);
    for (int64_t i = 0; i < rows; ++i) kernel::binary(Binary::mul, x + i * n, g, out + i * n, n);
  };
  for (int64_t j = 0; j < m; ++j) {
    products(c.h + j * n, gv + j * n, m - j, gp + (j * m + j) * sets);  // of R1: rows of F from the diagonal
    products(ga, c.y + j * n, j, gp + j * m * sets);                    // of R2, F transposed: up to the diagonal
    products(ga + j * n, c.y + j * n, 1, gp + (m * m + j) * sets);      // of t2
  }
  if (c.rows) {
    kernel::copy(ga, gp + (m * m + m) * n, m * n);
    kernel::copy(g_slope, slope, m * n);
  } else {
    kernel::row_sum(ga, n, m, n, gp + m * m + m);
    kernel::row_sum(g_slope, n, m, n, slope);
  }
  T* g2 = gp + m * m * sets;
  for (int64_t j = 0; j < m; ++j) {
    const T *t1 = c.t1 + j * sets, *t2 = c.t2 + j * sets, *s = slope + j * sets;
    T *g1 = gp + (j * m + j) * sets, *g2j = g2 + j * sets;
    for (int64_t i = 0; i < sets; ++i) {
      g1[i] = (g1[i] + s[i] * t2[i]) * (1 - t1[i]) * (1 + t1[i]);
      g2j[i] = (g2j[i] + s[i] * t1[i]) * (1 - t2[i]) * (1 + t2[i]);
    }
  }
  const View out = grads.add(kP);
  if (!c.rows) return kernel::accumulate<T>(gp, out.as<T>(), count);
  const auto by_rows = matrix_of<T>(out);
  T* turned = t.scratch<T>(count * n);
  kernel::transpose(count, n, gp, n, turned, count);
  kernel::binary_rows<T>(Binary::add, by_rows, {turned, n, count, count}, by_rows);
}

template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const View g_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto g = matrix_of<T>(g_view);
  const T* gl_out = gl_view.as<T>();
  const Core<T> c(node);
  const int64_t n = c.n, m = c.m;
  const bool inverse = inverse_of(node);
  if (n == 0 || m == 0) return;
  const ScratchScope scope(t);
  T *gv = t.scratch<T>(m * n), *ga = t.scratch<T>(m * n), *gy = t.scratch<T>(m * n), *g_slope = t.scratch<T>(m * n);
  T *dh = t.scratch<T>(n), *det = t.scratch<T>(n), *dl = t.scratch<T>(n), *sum = t.scratch<T>(n), *gl = t.scratch<T>(n);
  if (g.p)
    kernel::transpose(n, m, g.p, g.ld, gv, n);
  else
    kernel::fill<T>(0, gv, m * n);
  if (gl_out)
    kernel::scale<T>(inverse ? -1 : 1, gl_out, gl, n);
  else
    kernel::fill<T>(0, gl, n);
  kernel::fill<T>(0, gy, m * n);
  // Forward, gv is the gradient of v. For the inverse, it becomes that of v at the solution, -g, as j proceeds.
  for (int64_t j = 0; j < m; ++j) {
    const T *t1 = c.t1 + j * c.sets, *t2 = c.t2 + j * c.sets;
    T *gvj = gv + j * n, *gaj = ga + j * n, *gyj = gy + j * n, *dm = g_slope + j * n;
    kernel::ridge_slopes(Ridge::tanh, T(0), c.a + j * n, c.slope + j * c.sets, c.step(), dh, det, dl, dm, n);
    kernel::binary(Binary::mul, gl, dl, dl, n);
    kernel::binary(Binary::mul, gl, dm, dm, n);
    kernel::fill<T>(0, sum, n);
    c.add_r1_transposed(j, gv, sum);
    c.add_r2_transposed(j, ga, gyj);
    if (inverse) {
      // -det g = gv - (R2^T ga) - t2 (h' sum + dl), with sum = -c.
      for (int64_t r = 0; r < n; ++r) {
        const T through = t2[r * c.step()] * (dh[r] * sum[r] + dl[r]);
        const T minus_g = (gvj[r] - gyj[r] - through) / det[r];
        gyj[r] = gvj[r] - minus_g;  // y' affects v directly and through y
        gvj[r] = minus_g;
      }
    }
    c.add(t1, gvj, sum);
    kernel::copy(dl, gaj, n);
    kernel::mul_add(dh, sum, gaj, n);
    if (!inverse) c.add(t2, gaj, gyj);
  }
  if (grads.wants(kP)) parameters_vjp(t, grads, c, gv, ga, g_slope);
  if (grads.wants(kY)) {
    const auto out = matrix_of<T>(grads.add(kY));
    T* turned = ga;  // ga is no longer needed
    kernel::transpose(m, n, gy, n, turned, m);
    kernel::binary_rows<T>(Binary::add, out, {turned, n, m, m}, out);
  }
}

// v of y as ordinary ops, with one set of parameters per row.
struct Expanded {
  Var v, det, log_det;  // [n, m], [n, m]: 1 + h' t1 t2, [n]
};
Expanded expand(Tape& t, Var y, Var p) {
  const int64_t n = y->out.shape[0], m = y->out.shape[1], square = m * m;
  p = rows_of_params(t, p, n, numbers(m));
  int32_t *diagonal = t.scratch<int32_t>(m), *upper = t.scratch<int32_t>(square), *turned = t.scratch<int32_t>(square);
  // Gathers both triangles from (F | t1 | t2 | 0).
  for (int64_t j = 0; j < m; ++j) {
    diagonal[j] = static_cast<int32_t>(j * m + j);
    for (int64_t k = 0; k < m; ++k) {
      upper[j * m + k] = static_cast<int32_t>(k > j ? j * m + k : k == j ? square + j : square + 2 * m);
      turned[j * m + k] = static_cast<int32_t>(k > j ? k * m + j : k == j ? square + m + j : square + 2 * m);
    }
  }
  Var f = slice_columns(t, p, 0, square);
  Var t1 = unary(t, Unary::tanh, gather_columns(t, f, diagonal, m));
  Var t2 = unary(t, Unary::tanh, slice_columns(t, p, square, m));
  Var all = concat_columns(t, concat_columns(t, f, t1), concat_columns(t, t2, t.zeros({n, 1})));
  Var r1 = gather_columns(t, all, upper, square), r2 = gather_columns(t, all, turned, square);
  Var a = add(t, row_matrix(t, y, r2, m, false), slice_columns(t, p, square + m, m)), twice = scale(t, a, 2);
  Var h = unary(t, Unary::tanh, a);
  Var slope = mul(t, unary(t, Unary::sigmoid, twice), unary(t, Unary::sigmoid, scale(t, twice, -1)));
  Var stretch = mul(t, scale(t, slope, 4), add_scalar(t, mul(t, t1, t2), 1));
  Var det = add(t, unary(t, Unary::square, h), stretch);  // (1 - h') + h' (1 + t1 t2)
  return {row_matrix(t, h, r1, m, false), det, sum_last(t, unary(t, Unary::log, det))};
}

// For the inverse, v = y' - y at the y with y + v(y) = y'; that map is upper triangular in y.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  if (n.out.count() == 0) return nullptr;
  if (!inverse_of(n)) {
    const Expanded e = expand(t, n.in[kY], n.in[kP]);
    return {d.of(e.v), d.of(e.log_det)};
  }
  const int64_t m = n.out.shape[1];
  int32_t* order = t.scratch<int32_t>(m);
  for (int64_t j = 0; j < m; ++j) order[j] = static_cast<int32_t>(m - 1 - j);
  Var y = sub(t, n.in[kY], &n);
  const Expanded e = expand(t, y, n.in[kP]);
  Var dy = solve_triangular(t, d, y, add(t, y, e.v), e.det, d[kY], order);
  return {minus(t, n.out.shape, d[kY], dy), scaled(t, d.along(y, dy, e.log_det).y, -1)};
}

const Op kSylvester = {"sylvester", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

template <bool kInverse>
Var apply(Tape& t, const Var* in) {
  return sylvester(t, in[0], in[1], kInverse, {}).y;
}

const OpCase kCases[] = {
    {"sylvester", {{"n2"}, {"8"}}, apply<false>},
    {"sylvester_inverse", {{"n2"}, {"8"}}, apply<true>},
    {"sylvester_rows", {{"n2"}, {"n8"}}, apply<false>},
    {"sylvester_rows_inverse", {{"n2"}, {"n8"}}, apply<true>},
    {"sylvester_one_column", {{"n1"}, {"3"}}, apply<false>},
    {"sylvester_one_column_inverse", {{"n1"}, {"n3"}}, apply<true>},
};

}  // namespace

extern const OpFamily family_sylvester;
const OpFamily family_sylvester = {"sylvester", kCases, std::size(kCases)};

Mapped sylvester(Tape& t, Var y, Var p, bool inverse, const RootLimits& limits) {
  return mapped(t.record(kSylvester, {y, p}, SylvesterAttr{inverse, limits}));
}

}  // namespace libnf
