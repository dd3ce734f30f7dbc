// Planar flow (Rezende & Mohamed 2015, eq. 10-12 and appendix A.1), per row:
//   z = x + u^ h(a),  a = w.x + b,  log_det = log(1 + h'(a) w.u^),
//   u^ = u + k w,  k = (softplus(s) - 1 - s) / |w|^2,  s = w.u,  so that w.u^ = m - 1 with m = softplus(s) > 0.
// tanh, leaky_relu and elu all have 0 < h' <= 1, so w.u^ > -1 makes each of them invertible: the same u^ for all. With
// leaky_relu and elu, h' = 1 on a half-space, where the map contracts by m along w: so m is at least the square root of the
// dtype's resolution (3e-4 or 1e-8, from s below -8 or -18), which leaves the inverse half of the digits.
// Inverse: a solves a + (w.u^) h(a) = w.z + b, in closed form for leaky_relu, else by iteration; x = z - u^ h(a).
// Gradients of the inverse are those of the implicit function at the solution. With w = 0 (|w|^2 below the smallest
// normal number) the map is the shift by u h(b), and gradients are those of u^ = u.
//
// Accuracy: forward, a few ULP of the terms. The inverse multiplies an error of z by at most 1 + |u^||w| / det: with m
// near 0 and a near 0 (a strong contraction), det = h^2 + m h' is small and digits are lost in the same proportion.
//
// All data is stored by unit, [d, n], so small d costs nothing and each row's result is independent of its neighbors.
#include "runtime/op/planar.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/planar.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/ridge_root.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Into;
using kernel::Unary;
enum { kX, kP };

const PlanarMap& map_of(const Node& n) { return n.attr<PlanarMap>(); }
bool by_row(const Node& n) { return n.in[kP]->out.shape.rank == 2; }

// Layout of the saved memory, with `sets` parameter sets: 1, or one per row.
template <class T>
struct Saved {
  int64_t d, n, sets;
  bool rows;                          // one set per row
  T *in, *a, *h;                      // the input [d, n]; [n]
  T *s, *minus_s, *q, *m, *k, *uhat;  // w.u, |w|^2, m, k [sets]; u^ [d, sets]
  T* p;                               // [2 d + 1, sets]; copied for `rows` only
  static int64_t size(int64_t d, int64_t n, bool rows) {
    const int64_t sets = rows ? n : 1;
    const int64_t kept = checked_add(checked_mul(d + 2, n), checked_mul(d + 5, sets));
    return rows ? checked_add(kept, checked_mul(2 * d + 1, n)) : kept;
  }
  explicit Saved(const Node& node)
      : d(node.out.shape[1]), n(node.out.shape[0]), sets(by_row(node) ? n : 1), rows(by_row(node)) {
    T* at = static_cast<T*>(node.saved);
    const auto take = [&at](int64_t count) { return at += count, at - count; };
    in = take(d * n);
    a = take(n);
    h = take(n);
    s = take(sets);  // s and -s are adjacent, like m and k, so that one call computes a function of both
    minus_s = take(sets);
    q = take(sets);
    m = take(sets);
    k = take(sets);
    uhat = take(d * sets);
    p = rows ? at : const_cast<T*>(node.x<T>(kP));
  }
  const T* u() const { return p; }
  const T* w() const { return p + d * sets; }
  const T* b() const { return p + 2 * d * sets; }
  int64_t m_step() const { return rows ? 1 : 0; }

  // out[r] = offset + sum_j v_j x_j[r], with v from a parameter set and x stored by unit.
  void dots(const T* v, const T* x, const T* offset, T* out) const {
    if (!rows) {
      kernel::gemm_columns<T>(1, n, d, v, d, 1, x, n, out, n, offset ? Into::row_bias : Into::overwrite, offset);
      return;
    }
    if (offset)
      kernel::copy(offset, out, n);
    else
      kernel::fill<T>(0, out, n);
    for (int64_t j = 0; j < d; ++j) kernel::mul_add(v + j * n, x + j * n, out, n);
  }
  // y_j[r] += v_j g[r].
  void add_outer(const T* v, const T* g, T* y) const {
    if (!rows) {
      kernel::gemm_columns<T>(d, n, 1, v, 1, 1, g, n, y, n, Into::accumulate);
      return;
    }
    for (int64_t j = 0; j < d; ++j) kernel::mul_add(v + j * n, g, y + j * n, n);
  }
  // The gradient of v in v_j x_j: out_j = sum_r g[r] x_j[r], or one value per row.
  void products(const T* g, const T* x, T* out) const {
    if (!rows) return kernel::row_dot(x, n, g, 0, d, n, out);
    kernel::fill<T>(0, out, d * n);
    for (int64_t j = 0; j < d; ++j) kernel::mul_add(g, x + j * n, out + j * n, n);
  }
};

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  Shapes s;
  s.out = n.in[kX]->out.shape;
  const int64_t numbers = checked_add(checked_mul(2, s.out[1]), 1);
  if (by_row(n))
    need_extent(n, kP, 0, s.out[0]);
  else
    need_rank(n, kP, 1);
  need_extent(n, kP, by_row(n) ? 1 : 0, numbers);
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {Saved<float>::size(s.out[1], s.out[0], by_row(n))};
  s.has_saved = true;
  return s;
}

template <class T>
T least_m(const PlanarMap& map) {
  return map.h == Ridge::tanh ? T(0) : std::sqrt(std::numeric_limits<T>::epsilon());
}

// Computes u^ and its ingredients.
template <class T>
void constrain(const Saved<T>& v, T least) {
  if (v.rows) {
    kernel::fill<T>(0, v.s, v.sets);
    kernel::fill<T>(0, v.q, v.sets);
    for (int64_t j = 0; j < v.d; ++j) {
      const T *u = v.u() + j * v.sets, *w = v.w() + j * v.sets;
      kernel::mul_add(u, w, v.s, v.sets);
      kernel::mul_add(w, w, v.q, v.sets);
    }
  } else {
    kernel::row_dot(v.u(), v.d, v.w(), v.d, 1, v.d, v.s);
    kernel::row_dot(v.w(), v.d, v.w(), v.d, 1, v.d, v.q);
  }
  kernel::scale<T>(-1, v.s, v.minus_s, v.sets);
  kernel::unary<T>(Unary::softplus, 1, v.s, v.m, 2 * v.sets);  // m, and softplus(s) - s without cancellation
  kernel::planar_constrain<T>(v.q, least, v.m, v.k, v.sets);
  kernel::copy(v.u(), v.uhat, v.d * v.sets);
  if (v.rows)
    for (int64_t j = 0; j < v.d; ++j) kernel::mul_add(v.w() + j * v.sets, v.k, v.uhat + j * v.sets, v.sets);
  else
    kernel::axpy(v.k[0], v.w(), v.uhat, v.d);
}

template <class T>
void forward(Tape& t, Node& node) {
  const auto x = matrix_of<T>(node.view(kX)), z = matrix_of<T>(node.out);
  const Saved<T> v(node);
  const int64_t n = v.n, d = v.d;
  if (n == 0) return;
  kernel::transpose(n, d, x.p, x.ld, v.in, n);
  if (v.rows) {
    const auto p = matrix_of<T>(node.view(kP));
    kernel::transpose(n, p.cols, p.p, p.ld, v.p, n);
  }
  constrain(v, least_m<T>(map_of(node)));
  v.dots(v.w(), v.in, v.b(), v.a);
  const ScratchScope scope(t);
  T* out = t.scratch<T>(d * n);
  T* by = v.h;  // z = x + u^ by
  T* log_det = node.extra->y<T>();
  const PlanarMap& map = map_of(node);
  if (map.inverse) ridge_root<T>(t, map.h, static_cast<T>(map.slope), map.limits, v.m, v.m_step(), v.a, n);
  kernel::ridge(map.h, static_cast<T>(map.slope), v.a, v.m, v.m_step(), v.h, log_det, n);
  if (map.inverse) {
    by = t.scratch<T>(n);
    kernel::scale<T>(-1, v.h, by, n);
    kernel::scale<T>(-1, log_det, log_det, n);
  }
  kernel::copy(v.in, out, d * n);
  v.add_outer(v.uhat, by, out);
  kernel::transpose(d, n, out, n, z.p, z.ld);
}

// From the gradients of u^, m and, in part, of w (in gw) to those of u and w. With t = -2 g_k / |w|^2, g_k = g_u^.w:
//   g_s = g_m sigmoid(s) - (g_k / |w|^2) sigmoid(-s);  gu = g_u^ + g_s w;  gw += k g_u^ + g_s u + (k w) t
template <class T>
void constrain_vjp(Tape& t, const Saved<T>& v, T least, const T* gm, T* guhat, T* gw) {
  const int64_t sets = v.sets, d = v.d;
  const ScratchScope scope(t);
  T *gs = t.scratch<T>(sets), *gk = t.scratch<T>(sets), *sigma = t.scratch<T>(2 * sets), *other = sigma + sets;
  if (v.rows) {
    kernel::fill<T>(0, gk, sets);
    for (int64_t j = 0; j < d; ++j) kernel::mul_add(guhat + j * sets, v.w() + j * sets, gk, sets);
  } else {
    kernel::row_dot(guhat, d, v.w(), d, 1, d, gk);
  }
  kernel::unary<T>(Unary::sigmoid, 0, v.s, sigma, 2 * sets);  // and of -s
  kernel::planar_constrain_grad<T>(v.q, v.m, least, gm, sigma, other, gk, gs, sets);
  for (int64_t j = 0; j < d; ++j)
    kernel::planar_direction_grad<T>(v.k, gs, gk, v.u() + j * sets, v.w() + j * sets, guhat + j * sets, gw + j * sets,
                                     sets);
}

//   z = x + u^ h:  ga = h' (gz.u^) + gl dl/da,     gx = gz + ga w,  gw = ga x,  gb = ga,  gu^ = h gz,  gm = gl dl/dm
//   x = z - u^ h:  ga = -h' (gx.u^) - gl dl/da,    with gy = ga / det of y = w.z + b:
//                  gz = gx + gy w,  gw = gy z,  gb = gy,  gu^ = -h gx,  gm = -gy h - gl dl/dm
template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const View g_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto g = matrix_of<T>(g_view);
  const Saved<T> v(node);
  const int64_t n = v.n, d = v.d, sets = v.sets;
  const PlanarMap& map = map_of(node);
  if (n == 0) return;
  const ScratchScope scope(t);
  T *gz = t.scratch<T>(d * n), *ga = t.scratch<T>(n), *dh = t.scratch<T>(n), *det = t.scratch<T>(n);
  T *dl = t.scratch<T>(n), *dm = t.scratch<T>(n), *h = t.scratch<T>(n), *back = t.scratch<T>(d * n);
  if (g.p)
    kernel::transpose(n, d, g.p, g.ld, gz, n);
  else
    kernel::fill<T>(0, gz, d * n);
  v.dots(v.uhat, gz, nullptr, ga);
  kernel::ridge_slopes(map.h, static_cast<T>(map.slope), v.a, v.m, v.m_step(), dh, det, dl, dm, n);
  kernel::planar_grad<T>(map.inverse ? T(-1) : T(1), gl_view.as<T>(), dh, det, dl, v.h, ga, dm, h, n);
  if (grads.wants(kP)) {
    T* gp = t.scratch<T>((2 * d + 1) * sets);
    T *gu = gp, *gw = gp + d * sets, *gb = gp + 2 * d * sets, *gm = dm;
    v.products(h, gz, gu);
    v.products(ga, v.in, gw);
    if (v.rows) {
      kernel::copy(ga, gb, n);
    } else {
      gm = h;  // done with h
      kernel::row_sum(ga, n, 1, n, gb);
      kernel::row_sum(dm, n, 1, n, gm);
    }
    constrain_vjp(t, v, least_m<T>(map), gm, gu, gw);
    const View out = grads.add(kP);
    if (v.rows) {
      const auto rows = matrix_of<T>(out);
      T* turned = t.scratch<T>((2 * d + 1) * n);
      kernel::transpose(2 * d + 1, n, gp, n, turned, 2 * d + 1);
      kernel::binary_rows<T>(kernel::Binary::add, rows, {turned, n, 2 * d + 1, 2 * d + 1}, rows);
    } else {
      kernel::accumulate<T>(gp, out.as<T>(), 2 * d + 1);
    }
  }
  if (grads.wants(kX)) {
    v.add_outer(v.w(), ga, gz);
    bool fresh;
    const auto gx = matrix_of<T>(grads.write(kX, &fresh));
    if (fresh) return kernel::transpose(d, n, gz, n, gx.p, gx.ld);
    kernel::transpose(d, n, gz, n, back, d);
    kernel::binary_rows<T>(kernel::Binary::add, gx, {back, n, d, d}, gx);
  }
}

// The map x -> z as ordinary ops, with one set of parameters per row.
struct Expanded {
  Var z, log_det;
  Var w, uhat, slope, det;  // [n, d], [n, d]; h'(a) and det [n]
};
Expanded expand(Tape& t, const PlanarMap& map, Var x, Var p) {
  const int64_t n = x->out.shape[0], d = x->out.shape[1];
  const auto of = [&t](Unary f, Var v, double a = 0) { return unary(t, f, v, a); };
  p = rows_of_params(t, p, n, 2 * d + 1);
  Var u = slice_columns(t, p, 0, d), w = slice_columns(t, p, d, d);
  Var s = row_dot(t, u, w), q = row_dot(t, w, w);
  // 1 where w is nonzero; else 0, with q = 1, so that k = 0, m = 1 and s has no effect.
  Var has = t.empty({n}), none = t.empty({n});
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < n; ++i) {
      none->y<T>()[i] = q->y<T>()[i] < std::numeric_limits<T>::min();
      has->y<T>()[i] = 1 - none->y<T>()[i];
    }
  });
  const double least = t.dtype() == DType::f64 ? least_m<double>(map) : least_m<float>(map);
  Var soft = of(Unary::softplus, s, 1), other = of(Unary::softplus, scale(t, s, -1), 1);
  if (least > 0) {
    Var raise = of(Unary::relu, add_scalar(t, scale(t, soft, -1), least));
    soft = add(t, soft, raise);
    other = add(t, other, raise);
  }
  Var m = add(t, mul(t, soft, has), none);
  Var k = div(t, mul(t, add_scalar(t, other, -1), has), add(t, q, none));
  Var a = add(t, row_dot(t, w, x), reshape(t, slice_columns(t, p, 2 * d, 1), {n}));
  Var h = nullptr, slope = nullptr, rest = nullptr;  // h, h', 1 - h'
  switch (map.h) {
    case Ridge::tanh: {
      Var twice = scale(t, a, 2);
      h = of(Unary::tanh, a);
      slope = scale(t, mul(t, of(Unary::sigmoid, twice), of(Unary::sigmoid, scale(t, twice, -1))), 4);
      rest = of(Unary::square, h);
      break;
    }
    case Ridge::leaky_relu:
      h = of(Unary::leaky_relu, a, map.slope);
      rest = scale(t, of(Unary::relu, scale(t, of(Unary::sign, a), -1)), 1 - map.slope);
      slope = add_scalar(t, scale(t, rest, -1), 1);
      break;
    case Ridge::elu: {
      Var below = scale(t, of(Unary::relu, scale(t, a, -1)), -1);
      h = of(Unary::elu, a, 1);
      slope = of(Unary::exp, below);
      rest = scale(t, of(Unary::expm1, below), -1);
      break;
    }
  }
  Var uhat = add(t, u, mul(t, w, as_column(t, k))), det = add(t, rest, mul(t, m, slope));
  return {add(t, x, mul(t, uhat, as_column(t, h))), of(Unary::log, det), w, uhat, slope, det};
}

// Tangent of the inverse x of z: J dx = dz - (dz/dp) dp at x, with J = 1 + u^ h' w^T inverted by Sherman & Morrison.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const PlanarMap& map = map_of(n);
  if (!map.inverse) {
    const Expanded e = expand(t, map, n.in[kX], n.in[kP]);
    return {d.of(e.z), d.of(e.log_det)};
  }
  const Expanded e = expand(t, map, &n, n.in[kP]);
  Var right = minus(t, n.out.shape, d[kX], d.along(&n, nullptr, e.z).y);
  Var share = div(t, mul(t, row_dot(t, e.w, right), e.slope), e.det);
  Var dx = sub(t, right, mul(t, e.uhat, as_column(t, share)));
  return {dx, scaled(t, d.along(&n, dx, e.log_det).y, -1)};
}

const Op kPlanar = {"planar", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

template <Ridge kH, bool kInverse>
Var apply(Tape& t, const Var* in) {
  return planar(t, in[0], in[1], {kH, 0.2, kInverse, {}}).y;
}

const OpCase kCases[] = {
    {"planar_tanh", {{"n4"}, {"9"}}, apply<Ridge::tanh, false>},
    {"planar_tanh_inverse", {{"n4"}, {"9"}}, apply<Ridge::tanh, true>},
    {"planar_tanh_rows", {{"n4"}, {"n9"}}, apply<Ridge::tanh, false>},
    {"planar_tanh_rows_inverse", {{"n4"}, {"n9"}}, apply<Ridge::tanh, true>},
    {"planar_tanh_one_column", {{"n1"}, {"3"}}, apply<Ridge::tanh, false>},
    {"planar_leaky_relu", {{"n4"}, {"9"}}, apply<Ridge::leaky_relu, false>},
    {"planar_leaky_relu_rows_inverse", {{"n3"}, {"n7"}}, apply<Ridge::leaky_relu, true>},
    {"planar_elu", {{"n4"}, {"9"}}, apply<Ridge::elu, false>},
    {"planar_elu_rows_inverse", {{"n3"}, {"n7"}}, apply<Ridge::elu, true>},
};

}  // namespace

extern const OpFamily family_planar;
const OpFamily family_planar = {"planar", kCases, std::size(kCases)};

Mapped planar(Tape& t, Var x, Var p, const PlanarMap& map) { return mapped(t.record(kPlanar, {x, p}, map)); }

}  // namespace libnf
