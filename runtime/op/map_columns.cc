// map_columns applies a ColumnMap to every column, with parameters stored by unit. The only rounding is the map's own.
#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/rows.h"
#include "runtime/op/affine_column.h"
#include "runtime/op/columns.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kH };

struct ColumnsAttr {
  const ColumnMap* map;  // borrowed, like the order
  const int32_t* order;
};
const ColumnMap& map_of(const Node& n) { return *n.attr<ColumnsAttr>().map; }
const int32_t* order_of(const Node& n) { return n.attr<ColumnsAttr>().order; }

// saved: x and z by unit, [2, D, n].
Shapes shape(const Node& n) {
  const Dims& x = n.in[kX]->out.shape;
  need_rank(n, kX, 2);
  need_rank(n, kH, 2);
  need_extent(n, kH, 0, checked_mul(x[1], map_of(n).per()));
  need_extent(n, kH, 1, x[0]);
  Shapes s;
  s.out = x;
  s.extra = {x[0]};
  s.has_extra = true;
  s.saved = {2, x[1], x[0]};
  s.has_saved = true;
  return s;
}

template <class T>
void forward(Tape& t, Node& node) {
  const auto x = matrix_of<T>(node.view(kX)), z = matrix_of<T>(node.out);
  const ColumnMap& map = map_of(node);
  const int64_t n = x.rows, event = x.cols, per = map.per();
  T* in = static_cast<T*>(node.saved);
  T* out = in + event * n;
  T* log_det = node.extra->y<T>();
  kernel::transpose(n, event, x.p, x.ld, in, n);
  kernel::fill<T>(0, log_det, n);
  for (int64_t i = 0; i < event; ++i) {
    const int64_t column = order_of(node)[i], at = column * n;
    map.map(t, Column<T>{n, in + at, node.x<T>(kH) + i * per * n, out + at, log_det, column}, false);
  }
  kernel::transpose(event, n, out, n, z.p, z.ld);
}

template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const View gz_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto gz = matrix_of<T>(gz_view);
  const ColumnMap& map = map_of(node);
  const int64_t n = node.out.shape[0], event = node.out.shape[1], per = map.per(), count = n * event;
  const ScratchScope scope(t);
  const T* in = static_cast<const T*>(node.saved);
  T *g_out = t.scratch<T>(count), *g_in = t.scratch<T>(count), *g_params = t.scratch<T>(per * count);
  if (gz.p)
    kernel::transpose(n, event, gz.p, gz.ld, g_out, n);
  else
    kernel::fill<T>(0, g_out, count);
  for (int64_t i = 0; i < event; ++i) {
    const int64_t column = order_of(node)[i], at = column * n;
    map.vjp(t,
            ColumnGrad<T>{n, in + at, node.x<T>(kH) + i * per * n, in + count + at, g_out + at, gl_view.as<T>(),
                          g_in + at, g_params + i * per * n, column},
            false);
  }
  if (grads.wants(kH)) kernel::accumulate<T>(g_params, grads.add(kH).as<T>(), per * count);
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    kernel::transpose(event, n, g_in, n, g_out, event);
    kernel::binary_rows<T>(kernel::Binary::add, gx, {g_out, n, event, event}, gx);
  }
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t cols = n.out.shape[1];
  const int32_t* order = order_of(n);
  const ColumnVars e = expand_columns(t, map_of(n), {order, static_cast<size_t>(cols)}, n.in[kX], n.in[kH], true);
  Var dz = d.of(e.z), dl = d.of(e.log_slope);
  return {dz ? in_place_of(t, dz, order) : nullptr, dl ? sum_last(t, dl) : nullptr};
}

const Op kColumns = {"map_columns", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

constexpr int32_t kOrder[] = {1, 2, 0};

template <ColumnScale kScale>
Var apply(Tape& t, const Var* in) {
  static const AffineColumn map(kScale, 2);
  return map_columns(t, map, kOrder, in[0], transpose(t, in[1])).y;
}

const OpCase kCases[] = {
    {"map_columns", {{"n3"}, {"n6"}}, apply<ColumnScale::bounded_exp>},
    {"map_columns_gate", {{"n3"}, {"n6"}}, apply<ColumnScale::gate>},
};

}  // namespace

extern const OpFamily family_map_columns;
const OpFamily family_map_columns = {"map_columns", kCases, std::size(kCases)};

Mapped map_columns(Tape& t, const ColumnMap& map, const int32_t* order, Var x, Var h) {
  return mapped(t.record(kColumns, {x, conform(t, h, Layout::contiguous)}, ColumnsAttr{&map, order}));
}

}  // namespace libnf
