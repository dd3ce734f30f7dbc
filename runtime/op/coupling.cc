// Coupling maps, given the output h of a conditioner.
//   affine (Dinh et al. 2017, eq. 7-8):   z_j = x_j s_j + t_j,  log_det = sum_j log s_j,  s = ScaleMap(raw)
//     shift first (Kingma & Dhariwal 2018, table 1):  z_j = (x_j + t_j) s_j
//   additive (Dinh et al. 2015, eq. 9):   z_j = x_j + h_j
// Scale maps and their accuracy are in kernel/scale_map.h; the log-det row sum runs over m in a fixed order. Raw values
// of any size give a finite scale, except for `exp`.
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/scale_map.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/picked.h"
#include "runtime/op/scale_map.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::Binary, kernel::RowMap, kernel::RowUpdate;
enum { kX, kH };

struct AffineAttr {
  const int32_t* index;  // borrowed, m columns
  int64_t m;
  double cap;
  ScaleMap map;
  bool inverse, shift_first;
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

// Runs block by block, so that intermediate values stay in cache.
template <class T>
void affine_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), h = matrix_of<T>(n.view(kH)), y = matrix_of<T>(n.out);
  const auto& a = n.attr<AffineAttr>();
  const int64_t m = a.m;
  const PickedColumns picked(a.index, m);
  T *all_s = static_cast<T*>(n.saved), *all_slopes = all_s + x.rows * m, *log_det = n.extra->y<T>();
  const ScratchScope scope(t);
  T *log_s = t.scratch<T>(picked.scratch()), *copy = t.scratch<T>(picked.scratch());
  picked.blocks(x.rows, [&](int64_t first, int64_t rows) {
    const Rows<T> hb = h.rows_from(first, rows), xb = x.rows_from(first, rows), yb = y.rows_from(first, rows);
    const Rows<T> s = {all_s + first * m, rows, m, m}, slope = {all_slopes + first * m, rows, m, m};
    kernel::copy_rows<T>(hb.columns_from(m, m), slope);
    kernel::scale_map<T>(a.map, static_cast<T>(a.cap), slope.p, s.p, log_s, slope.p, rows * m);
    kernel::row_sum<T>(log_s, m, rows, m, log_det + first);
    kernel::copy_rows<T>(xb, yb);
    const auto from = picked.read(xb, copy);
    const auto shift = hb.columns_from(0, m);
    const auto to = picked.write(yb, copy);
    if (!a.shift_first) {
      kernel::affine_rows<T>(a.inverse ? RowMap::divide : RowMap::forward, from, s, shift, to);
    } else if (a.inverse) {
      kernel::binary_rows<T>(Binary::div, from, s, to);
      kernel::binary_rows<T>(Binary::sub, to, shift, to);
    } else {
      kernel::binary_rows<T>(Binary::add, from, shift, to);
      kernel::binary_rows<T>(Binary::mul, to, s, to);
    }
    picked.written(yb, copy);
  });
  if (a.inverse) kernel::scale<T>(-1, log_det, log_det, x.rows);
}

// z = x s + t:     gx = gz s,  gt = gz,     graw = (gz x s + gl) slope
// x = (z - t)/s:   gz = gx/s,  gt = -gx/s,  graw = -(gx x + gl) slope
// shift first, with u = x + t:
// z = u s:         gx = gz s,  gt = gz s,   graw = (gz u s + gl) slope
// x = z/s - t:     gz = gx/s,  gt = -gx,    graw = -(gx u + gl) slope
template <class T>
void affine_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const View gy_view = t.grad_out(n), gl_view = t.grad_out(*n.extra);
  const auto& a = n.attr<AffineAttr>();
  const auto x = matrix_of<T>(a.inverse ? n.out : n.view(kX)), gy = matrix_of<T>(gy_view);
  const T* gl = gl_view.as<T>();
  const int64_t m = a.m;
  const PickedColumns picked(a.index, m);
  T *all_s = static_cast<T*>(n.saved), *all_slopes = all_s + x.rows * m;
  const auto gh = grads.wants(kH) ? matrix_of<T>(grads.add(kH)) : Rows<T>{};
  const auto gx = grads.wants(kX) && gy.p ? matrix_of<T>(grads.add(kX)) : Rows<T>{};
  const ScratchScope scope(t);
  T *g_copy = t.scratch<T>(picked.scratch()), *copy = t.scratch<T>(picked.scratch());
  const auto h = a.shift_first ? matrix_of<T>(n.view(kH)) : Rows<T>{};
  T* sum = a.shift_first ? t.scratch<T>(picked.scratch()) : nullptr;
  if (!gy.p) kernel::fill<T>(0, g_copy, m);
  picked.blocks(x.rows, [&](int64_t first, int64_t rows) {
    const Rows<T> s = {all_s + first * m, rows, m, m}, slope = {all_slopes + first * m, rows, m, m};
    const Rows<T> gyb = gy.p ? gy.rows_from(first, rows) : Rows<T>{};
    const auto g = gy.p ? picked.read(gyb, g_copy) : shared_row(g_copy, rows, m);
    if (gh.p) {
      const auto gt = gh.rows_from(first, rows).columns_from(0, m), graw = gh.rows_from(first, rows).columns_from(m, m);
      Rows<const T> u = picked.read(x.rows_from(first, rows), copy);
      if (a.shift_first) {
        const Rows<T> moved = {sum, rows, m, m};
        kernel::binary_rows<T>(Binary::add, u, h.rows_from(first, rows).columns_from(0, m), moved);
        u = moved;
      }
      if (a.inverse == a.shift_first)
        a.inverse ? kernel::binary_rows<T>(Binary::sub, gt, g, gt) : kernel::binary_rows<T>(Binary::add, gt, g, gt);
      else
        kernel::update_rows<T>(a.inverse ? RowUpdate::minus : RowUpdate::fused, g, s, gt);
      kernel::log_scale_rows<T>(a.inverse ? RowMap::divide : RowMap::forward, g, u, s, gl ? gl + first : nullptr, slope,
                                graw);
    }
    if (!gx.p) return;
    kernel::binary_rows<T>(a.inverse ? Binary::div : Binary::mul, g, s, Rows<T>{copy, rows, m, m});
    picked.add_back<T>(t, gyb, {copy, rows, m, m}, gx.rows_from(first, rows));
  });
}

// On columns `index`: dz = (dx + x dl) s + dt;  dx = (dz - dt) / s - x dl,  with dl the tangent of log s.
// Shift first:        dz = (dx + dt + (x + t) dl) s;  dx = dz / s - (x + t) dl - dt.
OutputTangents affine_tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<AffineAttr>();
  const Dims rows = {n.out.shape[0], a.m};
  const auto pick = [&](Var v) { return v ? gather_columns(t, v, a.index, a.m) : nullptr; };
  const ScaleVars scale = scale_map(t, a.map, a.cap, slice_columns(t, n.in[kH], a.m, a.m));
  Var dl = d.of(scale.log_s), dt = d[kH] ? slice_columns(t, d[kH], 0, a.m) : nullptr, du = pick(d[kX]);
  const auto data_side = [&] {
    Var u = pick(a.inverse ? &n : n.in[kX]);
    return a.shift_first ? add(t, u, slice_columns(t, n.in[kH], 0, a.m)) : u;
  };
  if (a.inverse) {
    if (!a.shift_first) du = minus(t, rows, du, dt);
    if (du) du = div(t, du, scale.s);
    if (dl) du = minus(t, rows, du, mul(t, data_side(), dl));
    if (a.shift_first) du = minus(t, rows, du, dt);
  } else {
    if (a.shift_first) du = plus(t, rows, du, dt);
    if (dl) du = plus(t, rows, du, mul(t, data_side(), dl));
    if (du) du = mul(t, du, scale.s);
    if (!a.shift_first) du = plus(t, rows, du, dt);
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
void additive_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), h = matrix_of<T>(n.view(kH)), y = matrix_of<T>(n.out);
  const auto& a = n.attr<AdditiveAttr>();
  const PickedColumns picked(a.index, a.m);
  const ScratchScope scope(t);
  T* copy = t.scratch<T>(picked.scratch());
  picked.blocks(x.rows, [&](int64_t first, int64_t rows) {
    const Rows<T> xb = x.rows_from(first, rows), yb = y.rows_from(first, rows);
    kernel::copy_rows<T>(xb, yb);
    kernel::binary_rows<T>(a.inverse ? Binary::sub : Binary::add, picked.read(xb, copy), h.rows_from(first, rows),
                           picked.write(yb, copy));
    picked.written(yb, copy);
  });
}

template <class T>
void additive_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = matrix_of<T>(t.grad_out(n));
  const auto& a = n.attr<AdditiveAttr>();
  const PickedColumns picked(a.index, a.m);
  if (grads.wants(kH)) {
    const auto gh = matrix_of<T>(grads.add(kH));
    const ScratchScope scope(t);
    T* copy = t.scratch<T>(picked.scratch());
    picked.blocks(gy.rows, [&](int64_t first, int64_t rows) {
      const Rows<T> out = gh.rows_from(first, rows);
      kernel::binary_rows<T>(a.inverse ? Binary::sub : Binary::add, out, picked.read(gy.rows_from(first, rows), copy),
                             out);
    });
  }
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    kernel::binary_rows<T>(Binary::add, gx, gy, gx);
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

template <ScaleMap kMap, bool kInverse, bool kShiftFirst = false>
Var affine_case(Tape& t, const Var* in) {
  return affine_coupling(t, in[0], in[1], kOdd, 2, kMap, 2.0, kInverse, kShiftFirst).y;
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
    {"affine_coupling_plain_sigmoid", {{"n5"}, {"n4"}}, affine_case<ScaleMap::plain_sigmoid, false>},
    {"affine_coupling_shift_first", {{"n5"}, {"n4"}}, affine_case<ScaleMap::bounded_exp, false, true>},
    {"affine_coupling_shift_first_inverse", {{"n5"}, {"n4"}}, affine_case<ScaleMap::bounded_exp, true, true>},
    {"affine_coupling_glow", {{"n5"}, {"n4"}}, affine_case<ScaleMap::plain_sigmoid, false, true>},
    {"affine_coupling_glow_inverse", {{"n5"}, {"n4"}}, affine_case<ScaleMap::plain_sigmoid, true, true>},
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

Mapped affine_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, ScaleMap map, double cap, bool inverse,
                       bool shift_first) {
  return mapped(t.record(kAffine, {x, h}, AffineAttr{index, m, cap, map, inverse, shift_first}));
}

Var additive_coupling(Tape& t, Var x, Var h, const int32_t* index, int64_t m, bool inverse) {
  return t.record(kAdditive, {x, h}, AdditiveAttr{index, m, inverse});
}

}  // namespace libnf
