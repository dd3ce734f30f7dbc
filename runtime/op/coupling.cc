// Coupling maps, given the output h of a conditioner.
//   affine (Dinh et al. 2017, eq. 7-8):   z_j = x_j s_j + t_j,  log_det = sum_j log s_j,  s = ScaleMap(raw)
//   additive (Dinh et al. 2015, eq. 9):   z_j = x_j + h_j
// Scale maps and their exact logarithms are in ops.h. Accuracy: that of kernel::unary (a few ULP) per element; the
// log-det row sum runs over m in a fixed order. Raw values of any size give a finite scale, except for `exp`.
#include <cmath>
#include <cstring>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/scale_map.h"
#include "runtime/op/tangent.h"

namespace nf {
namespace {

enum { kX, kH };

struct AffineAttr {
  const int32_t* index;  // borrowed, m columns
  int64_t m;
  double cap;
  ScaleMap map;
  bool inverse;
};
struct AdditiveAttr {
  const int32_t* index;  // borrowed, m columns
  int64_t m;
  bool inverse;
};

void check(const Node& n, int64_t h_cols) {
  need_rank(n, kX, 2);
  need_rank(n, kH, 2);
  need_extent(n, kH, 0, n.in[kX]->out.shape[0]);
  need_extent(n, kH, 1, h_cols);
}

template <class T>
void copy_rows(const Rows<T>& x, const Rows<T>& y) {
  if (x.ld == x.cols && y.ld == y.cols)
    std::memcpy(y.p, x.p, static_cast<size_t>(x.rows * x.cols) * sizeof(T));
  else
    for (int64_t r = 0; r < x.rows; ++r) std::memcpy(y.row(r), x.row(r), static_cast<size_t>(x.cols) * sizeof(T));
}

// ---- affine ------------------------------------------------------------------------------------------------------

// saved: scale [n, m] and d(log scale)/d(raw) [n, m].
Shapes affine_shape(const Node& n) {
  const int64_t rows = n.in[kX]->out.shape.rank == 2 ? n.in[kX]->out.shape[0] : 0;
  const int64_t m = n.attr<AffineAttr>().m;
  check(n, checked_mul(2, m));
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.extra = {rows};
  s.has_extra = true;
  s.saved = {2, rows, m};
  s.has_saved = true;
  return s;
}

template <class T>
void affine_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), h = matrix_of<T>(n.view(kH)), y = matrix_of<T>(n.out);
  const auto& a = n.attr<AffineAttr>();
  const int64_t m = a.m, size = x.rows * m;
  const int32_t* index = a.index;
  T* s = static_cast<T*>(n.saved);
  T* slope = s + size;
  const ScratchScope scope(t);
  T* log_s = t.scratch<T>(size);
  for (int64_t r = 0; r < x.rows; ++r)  // m may be 1: a call per row would cost more than the row
    for (int64_t j = 0; j < m; ++j) slope[r * m + j] = h.row(r)[m + j];
  scale_map<T>(a.map, static_cast<T>(a.cap), s, log_s, slope, size);
  T* log_det = n.extra->y<T>();
  kernel::row_sum<T>(log_s, m, x.rows, m, log_det);
  copy_rows(x, y);
  if (a.inverse) {
    kernel::scale<T>(-1, log_det, log_det, x.rows);
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t j = 0; j < m; ++j) y.row(r)[index[j]] = (x.row(r)[index[j]] - h.row(r)[j]) / s[r * m + j];
  } else {
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t j = 0; j < m; ++j) y.row(r)[index[j]] = x.row(r)[index[j]] * s[r * m + j] + h.row(r)[j];
  }
}

// z = x s + t:     gx = gz s,  gt = gz,     graw = (gz x s + gl) slope
// x = (z - t)/s:   gz = gx/s,  gt = -gx/s,  graw = -(gx x + gl) slope
template <class T>
void affine_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const View gy_view = t.grad_out(n), gl_view = t.grad_out(*n.extra);
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out), gy = matrix_of<T>(gy_view);
  const T* gl = gl_view.as<T>();
  const auto& a = n.attr<AffineAttr>();
  const int64_t rows = x.rows, m = a.m;
  const int32_t* index = a.index;
  const T* s = static_cast<const T*>(n.saved);
  const T* slope = s + rows * m;
  const bool inverse = a.inverse;
  if (grads.wants(kH)) {
    const auto gh = matrix_of<T>(grads.add(kH));
    for (int64_t r = 0; r < rows; ++r) {
      const T* sr = s + r * m;
      T* out = gh.row(r);
      const T gld = gl ? gl[r] : T(0);
      for (int64_t j = 0; j < m; ++j) {
        const T g = gy.p ? gy.row(r)[index[j]] : T(0);
        if (inverse) {
          out[j] -= g / sr[j];
          out[m + j] -= (g * y.row(r)[index[j]] + gld) * slope[r * m + j];
        } else {
          out[j] += g;
          out[m + j] += (g * x.row(r)[index[j]] * sr[j] + gld) * slope[r * m + j];
        }
      }
    }
  }
  if (grads.wants(kX) && gy.p) {
    const auto gx = matrix_of<T>(grads.add(kX));
    const ScratchScope scope(t);
    T* through = t.scratch<T>(x.cols);
    for (int64_t r = 0; r < rows; ++r) {
      const T* g = gy.row(r);
      kernel::copy(g, through, x.cols);
      for (int64_t j = 0; j < m; ++j) {
        const T sj = s[r * m + j];
        through[index[j]] = inverse ? g[index[j]] / sj : g[index[j]] * sj;
      }
      kernel::accumulate(through, gx.row(r), x.cols);
    }
  }
}

// Of columns `index`: dz = (dx + x dl) s + dt;  dx = (dz - dt) / s - x dl,  with dl that of log s.
OutputTangents affine_tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<AffineAttr>();
  const Dims rows = {n.out.shape[0], a.m};
  const auto pick = [&](Var v) { return v ? gather_columns(t, v, a.index, a.m) : nullptr; };
  const ScaleVars scale = scale_map(t, a.map, a.cap, slice_columns(t, n.in[kH], a.m, a.m));
  Var dl = d.of(scale.log_s), dt = d[kH] ? slice_columns(t, d[kH], 0, a.m) : nullptr, du = pick(d[kX]);
  if (a.inverse) {
    du = minus(t, rows, du, dt);
    if (du) du = div(t, du, scale.s);
    if (dl) du = minus(t, rows, du, mul(t, pick(&n), dl));
  } else {
    if (dl) du = plus(t, rows, du, mul(t, pick(n.in[kX]), dl));
    if (du) du = mul(t, du, scale.s);
    du = plus(t, rows, du, dt);
  }
  if (!du) return nullptr;
  return {replace_columns(t, or_zeros(t, d[kX], n.out.shape), a.index, a.m, du),
          dl ? scaled(t, sum_last(t, dl), a.inverse ? -1 : 1) : nullptr};
}

const Op kAffine = {"affine_coupling",       Layout::rows,        affine_shape,
                    NF_BOTH(affine_forward), NF_BOTH(affine_vjp), affine_tangent};

// ---- additive ----------------------------------------------------------------------------------------------------

Shapes additive_shape(const Node& n) {
  check(n, n.attr<AdditiveAttr>().m);
  return same_as_first(n);
}

template <class T>
void additive_forward(Tape&, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), h = matrix_of<T>(n.view(kH)), y = matrix_of<T>(n.out);
  const auto& a = n.attr<AdditiveAttr>();
  const int32_t* index = a.index;
  const T sign = a.inverse ? T(-1) : T(1);
  copy_rows(x, y);
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t j = 0; j < h.cols; ++j) y.row(r)[index[j]] += sign * h.row(r)[j];
}

template <class T>
void additive_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = matrix_of<T>(t.grad_out(n));
  const auto& a = n.attr<AdditiveAttr>();
  const int32_t* index = a.index;
  const T sign = a.inverse ? T(-1) : T(1);
  if (grads.wants(kH)) {
    const auto gh = matrix_of<T>(grads.add(kH));
    for (int64_t r = 0; r < gy.rows; ++r)
      for (int64_t j = 0; j < gh.cols; ++j) gh.row(r)[j] += sign * gy.row(r)[index[j]];
  }
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    for (int64_t r = 0; r < gy.rows; ++r) kernel::accumulate(gy.row(r), gx.row(r), gy.cols);
  }
}

// The map is linear.
OutputTangents additive_tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<AdditiveAttr>();
  if (!d[kH]) return d[kX];
  return additive_coupling(t, or_zeros(t, d[kX], n.out.shape), d[kH], a.index, a.m, a.inverse);
}

const Op kAdditive = {"additive_coupling",       Layout::rows,          additive_shape,
                      NF_BOTH(additive_forward), NF_BOTH(additive_vjp), additive_tangent};

constexpr int32_t kOdd[] = {1, 3};

template <ScaleMap kMap, bool kInverse>
Var affine_case(Tape& t, const Var* in) {
  return affine_coupling(t, in[0], in[1], kOdd, 2, kMap, 2.0, kInverse).y;
}

const OpCase kCases[] = {
    {"affine_coupling_bounded_exp", {{"n5"}, {"n4"}}, affine_case<ScaleMap::bounded_exp, false>},
    {"affine_coupling_bounded_exp_inverse", {{"n5"}, {"n4"}}, affine_case<ScaleMap::bounded_exp, true>},
    {"affine_coupling_exp", {{"n5"}, {"n4"}}, affine_case<ScaleMap::exp, false>},
    {"affine_coupling_exp_inverse", {{"n5"}, {"n4"}}, affine_case<ScaleMap::exp, true>},
    {"affine_coupling_sigmoid", {{"n5"}, {"n4"}}, affine_case<ScaleMap::sigmoid, false>},
    {"affine_coupling_sigmoid_inverse", {{"n5"}, {"n4"}}, affine_case<ScaleMap::sigmoid, true>},
    {"affine_coupling_softplus", {{"n5"}, {"n4"}}, affine_case<ScaleMap::softplus, false>},
    {"affine_coupling_softplus_inverse", {{"n5"}, {"n4"}}, affine_case<ScaleMap::softplus, true>},
    {"affine_coupling_soft_exp", {{"n5"}, {"n4", Domain::nonzero}}, affine_case<ScaleMap::soft_exp, false>},
    {"affine_coupling_soft_exp_inverse", {{"n5"}, {"n4", Domain::nonzero}}, affine_case<ScaleMap::soft_exp, true>},
    {"affine_coupling_softplus_open", {{"n5"}, {"n4"}}, affine_case<ScaleMap::softplus_open, false>},
    {"additive_coupling",
     {{"n5"}, {"n2"}},
     [](Tape& t, const Var* in) { return additive_coupling(t, in[0], in[1], kOdd, 2, false); }},
    {"additive_coupling_inverse",
     {{"n5"}, {"n2"}},
     [](Tape& t, const Var* in) { return additive_coupling(t, in[0], in[1], kOdd, 2, true); }},
};

}  // namespace

extern const OpFamily family_coupling;
const OpFamily family_coupling = {"coupling", kCases, std::size(kCases)};

Mapped affine_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, ScaleMap map, double cap, bool inverse) {
  return mapped(t.record(kAffine, {x, h}, AffineAttr{index, m, cap, map, inverse}));
}

Var additive_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, bool inverse) {
  return t.record(kAdditive, {x, h}, AdditiveAttr{index, m, inverse});
}

}  // namespace nf
