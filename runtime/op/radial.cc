// Radial flow (Rezende & Mohamed 2015, eq. 14 and appendix A.2), per row:
//   z = x + beta (x - x0)/(alpha + r),  r = |x - x0|,  alpha = softplus(raw alpha),  beta = softplus(raw beta) - alpha.
// With B = alpha + beta = softplus(raw beta) > 0 everything is a sum of positive terms, so nothing cancels:
//   z = x0 + s (x - x0),  s = (r + B)/(r + alpha),
//   log_det = (d - 1) log s + log q,  q = d|z - x0|/dr = (r (r + 2 alpha) + alpha B)/(r + alpha)^2.
// Inverse: with R = |z - x0|, r is the positive root of r^2 + (B - R) r - alpha R = 0, from the formula without
// cancellation; x = x0 + (z - x0)/s. Accuracy: a few ULP of |x0| + |x - x0| in both directions.
// At x = x0 the map is smooth along every line but log_det has a kink: its gradient by x is 0 there.
#include "runtime/op/radial.h"

#include <limits>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/radial.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Binary;
using kernel::Unary;
enum { kX, kP };

struct RadialAttr {
  bool inverse;
};
bool inverse_of(const Node& n) { return n.attr<RadialAttr>().inverse; }
bool by_row(const Node& n) { return n.in[kP]->out.shape.rank == 2; }

// Layout of the saved memory, with `sets` parameter sets: 1, or one per row.
template <class T>
struct Saved {
  int64_t d, n, sets;
  bool rows;
  T* offset;     // input - x0, by unit [d, n]
  T *r, *s, *q;  // [n]
  T *alpha, *b;  // [sets], adjacent
  static int64_t size(int64_t d, int64_t n, bool rows) {
    return checked_add(checked_mul(checked_add(d, 3), n), 2 * (rows ? n : 1));
  }
  explicit Saved(const Node& node)
      : d(node.out.shape[1]), n(node.out.shape[0]), sets(by_row(node) ? n : 1), rows(by_row(node)) {
    offset = static_cast<T*>(node.saved);
    r = offset + d * n;
    s = r + n;
    q = s + n;
    alpha = q + n;
    b = alpha + sets;
  }
  int64_t step() const { return rows ? 1 : 0; }
};

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  Shapes s;
  s.out = n.in[kX]->out.shape;
  if (by_row(n))
    need_extent(n, kP, 0, s.out[0]);
  else
    need_rank(n, kP, 1);
  need_extent(n, kP, by_row(n) ? 1 : 0, checked_add(s.out[1], 2));
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {Saved<float>::size(s.out[1], s.out[0], by_row(n))};
  s.has_saved = true;
  return s;
}

// The parameters by unit, [d + 2, sets].
template <class T>
const T* parameters(Tape& t, const Node& node, const Saved<T>& v) {
  if (!v.rows) return node.x<T>(kP);
  const auto p = matrix_of<T>(node.view(kP));
  T* turned = t.scratch<T>(p.rows * p.cols);
  kernel::transpose(p.rows, p.cols, p.p, p.ld, turned, p.rows);
  return turned;
}

// y_j = x_j op b_j for d columns of n rows by unit.
template <class T>
void columns(Binary op, const Saved<T>& v, const T* x, const T* b, T* y) {
  for (int64_t j = 0; j < v.d; ++j) {
    if (v.rows)
      kernel::binary(op, x + j * v.n, b + j * v.n, y + j * v.n, v.n);
    else
      kernel::binary_scalar(op, x + j * v.n, b[j], y + j * v.n, v.n);
  }
}

// |offset|. A square that overflows counts as a very large radius, where alpha and beta no longer have an effect.
template <class T>
void radius(const Saved<T>& v, T* r) {
  kernel::fill<T>(0, r, v.n);
  for (int64_t j = 0; j < v.d; ++j) kernel::mul_add(v.offset + j * v.n, v.offset + j * v.n, r, v.n);
  kernel::unary<T>(Unary::sqrt, 0, r, r, v.n);
  kernel::binary_scalar<T>(Binary::min, r, std::numeric_limits<T>::max() / 4, r, v.n);
}

template <class T>
void forward(Tape& t, Node& node) {
  const auto x = matrix_of<T>(node.view(kX)), z = matrix_of<T>(node.out);
  const Saved<T> v(node);
  const int64_t n = v.n, d = v.d;
  const bool inverse = inverse_of(node);
  if (n == 0) return;
  const ScratchScope scope(t);
  T *out = t.scratch<T>(d * n), *factor = t.scratch<T>(n), *log_s = t.scratch<T>(2 * n), *log_q = log_s + n;
  T* log_det = node.extra->y<T>();
  const T* p = parameters(t, node, v);
  kernel::unary<T>(Unary::softplus, 1, p + d * v.sets, v.alpha, 2 * v.sets);
  kernel::transpose(n, d, x.p, x.ld, out, n);
  columns(Binary::sub, v, out, p, v.offset);
  radius(v, v.r);
  kernel::radial<T>(inverse, v.alpha, v.b, v.step(), v.r, v.s, v.q, factor, n);
  for (int64_t j = 0; j < d; ++j) kernel::binary(Binary::mul, v.offset + j * n, factor, out + j * n, n);
  columns(Binary::add, v, out, p, out);
  kernel::transpose(d, n, out, n, z.p, z.ld);
  kernel::unary<T>(Unary::log, 0, v.s, log_s, 2 * n);  // s and q are adjacent
  if (d > 1) {
    kernel::scale<T>(static_cast<T>(d - 1), log_s, log_s, n);
    kernel::binary<T>(Binary::add, log_s, log_q, log_q, n);
  }
  kernel::scale<T>(inverse ? T(-1) : T(1), log_q, log_det, n);
}

// With o = x - x0, z = x0 + s o:  gs = gz.o,  gr, g_alpha, gB from s and log_det,  go = s gz + (gr/r) o.
// With o = z - x0, x = x0 + o/s:  gs = -(gx.o)/s^2; r is the root of r s(r) = R, so gR = gr/q and g_alpha, gB get
// an additional -gR r (ds/d alpha, ds/dB);  go = gx/s + (gR/R) o.
// In both gx or gz = go, and g_x0 = g_out - go.
template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const View g_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto g = matrix_of<T>(g_view);
  const Saved<T> v(node);
  const int64_t n = v.n, d = v.d, sets = v.sets;
  const bool inverse = inverse_of(node);
  if (n == 0) return;
  const ScratchScope scope(t);
  T *gy = t.scratch<T>(d * n), *go = t.scratch<T>(d * n), *dot = t.scratch<T>(n), *factor = t.scratch<T>(n);
  T *pull = t.scratch<T>(n), *ga = t.scratch<T>(n), *gb = t.scratch<T>(n), *length = t.scratch<T>(n);
  if (g.p)
    kernel::transpose(n, d, g.p, g.ld, gy, n);
  else
    kernel::fill<T>(0, gy, d * n);
  kernel::fill<T>(0, dot, n);
  for (int64_t j = 0; j < d; ++j) kernel::mul_add(gy + j * n, v.offset + j * n, dot, n);
  if (inverse)
    radius(v, length);
  else
    kernel::copy(v.r, length, n);
  kernel::radial_grad<T>(inverse, static_cast<T>(d - 1),
                         {v.alpha, v.b, v.step(), v.r, v.s, v.q, length, dot, gl_view.as<T>(), ga, gb, factor, pull},
                         n);
  for (int64_t j = 0; j < d; ++j) {
    kernel::binary(Binary::mul, gy + j * n, factor, go + j * n, n);
    kernel::mul_add(pull, v.offset + j * n, go + j * n, n);
  }
  if (grads.wants(kP)) {
    T* gp = t.scratch<T>((d + 2) * sets);
    T* sigma = t.scratch<T>(2 * sets);
    T* ends = gp + d * sets;
    kernel::binary(Binary::sub, gy, go, gy, d * n);
    if (v.rows) {
      kernel::copy(gy, gp, d * n);
      kernel::copy(ga, ends, n);
      kernel::copy(gb, ends + n, n);
    } else {
      kernel::row_sum(gy, n, d, n, gp);
      kernel::row_sum(ga, n, 1, n, ends);
      kernel::row_sum(gb, n, 1, n, ends + 1);
    }
    kernel::unary<T>(Unary::sigmoid, 0, parameters(t, node, v) + d * sets, sigma, 2 * sets);
    kernel::binary(Binary::mul, ends, sigma, ends, 2 * sets);
    const View out = grads.add(kP);
    if (v.rows) {
      const auto rows = matrix_of<T>(out);
      T* turned = t.scratch<T>((d + 2) * n);
      kernel::transpose(d + 2, n, gp, n, turned, d + 2);
      kernel::binary_rows<T>(Binary::add, rows, {turned, n, d + 2, d + 2}, rows);
    } else {
      kernel::accumulate<T>(gp, out.as<T>(), d + 2);
    }
  }
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    kernel::transpose(d, n, go, n, gy, d);
    kernel::binary_rows<T>(Binary::add, gx, {gy, n, d, d}, gx);
  }
}

// The map x -> z as ordinary ops, one set of parameters per row. At x = x0 the slope of the radius is 0, as in vjp.
struct Expanded {
  Var z, log_det;
  Var offset, square, s, q;  // x - x0 [n, d]; |x - x0|^2, or 1 at x0, s and q [n]
};
Expanded expand(Tape& t, Var x, Var p) {
  const int64_t n = x->out.shape[0], d = x->out.shape[1];
  p = rows_of_params(t, p, n, d + 2);
  const auto positive = [&](int64_t column) {
    return unary(t, Unary::softplus, reshape(t, slice_columns(t, p, column, 1), {n}), 1);
  };
  Var alpha = positive(d), b = positive(d + 1);
  Var offset = sub(t, x, slice_columns(t, p, 0, d)), square = row_dot(t, offset, offset);
  Var away = t.empty({n}), at_center = t.empty({n});
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < n; ++i) {
      at_center->y<T>()[i] = square->y<T>()[i] == 0;
      away->y<T>()[i] = 1 - at_center->y<T>()[i];
    }
  });
  square = add(t, square, at_center);
  Var r = mul(t, unary(t, Unary::sqrt, square), away);
  Var h = unary(t, Unary::reciprocal, add(t, r, alpha)), s = mul(t, add(t, r, b), h);
  Var inner = mul(t, mul(t, r, h), mul(t, add(t, r, scale(t, alpha, 2)), h));
  Var q = add(t, inner, mul(t, mul(t, alpha, h), mul(t, b, h)));
  Var log_det = unary(t, Unary::log, q);
  if (d > 1) log_det = add(t, log_det, scale(t, unary(t, Unary::log, s), static_cast<double>(d - 1)));
  Var z = add(t, slice_columns(t, p, 0, d), mul(t, offset, as_column(t, s)));
  return {z, log_det, offset, square, s, q};
}

// Tangent of the inverse x of z: dz/dx stretches the direction of x - x0 by q and directions orthogonal to it by s.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  if (!inverse_of(n)) {
    const Expanded e = expand(t, n.in[kX], n.in[kP]);
    return {d.of(e.z), d.of(e.log_det)};
  }
  const Expanded e = expand(t, &n, n.in[kP]);
  Var right = minus(t, n.out.shape, d[kX], d.along(&n, nullptr, e.z).y);
  Var per_s = unary(t, Unary::reciprocal, e.s);
  Var gap = sub(t, unary(t, Unary::reciprocal, e.q), per_s);
  Var share = div(t, mul(t, row_dot(t, e.offset, right), gap), e.square);
  Var dx = add(t, mul(t, right, as_column(t, per_s)), mul(t, e.offset, as_column(t, share)));
  return {dx, scaled(t, d.along(&n, dx, e.log_det).y, -1)};
}

const Op kRadial = {"radial", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

template <bool kInverse>
Var apply(Tape& t, const Var* in) {
  return radial(t, in[0], in[1], kInverse).y;
}

const OpCase kCases[] = {
    {"radial", {{"n4"}, {"6"}}, apply<false>},
    {"radial_inverse", {{"n4"}, {"6"}}, apply<true>},
    {"radial_rows", {{"n3"}, {"n5"}}, apply<false>},
    {"radial_rows_inverse", {{"n3"}, {"n5"}}, apply<true>},
    {"radial_one_column", {{"n1", Domain::positive}, {"n3", Domain::positive}}, apply<false>},
};

}  // namespace

extern const OpFamily family_radial;
const OpFamily family_radial = {"radial", kCases, std::size(kCases)};

Mapped radial(Tape& t, Var x, Var p, bool inverse) { return mapped(t.record(kRadial, {x, p}, RadialAttr{inverse})); }

}  // namespace libnf
