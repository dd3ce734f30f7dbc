// couple_columns processes rows in blocks and columns in groups. The parameters of a group are transposed, so that each
// one is contiguous over the rows of the block, and stay in L1 between the transposition, the map and its gradient. Only
// the map itself rounds. Gradients of shared parameters are summed within a block, then over blocks in row order.
#include <algorithm>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/affine_column.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/picked.h"
#include "runtime/op/repeat_rows.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kH };
constexpr int64_t kBlock = 64;

struct CoupleAttr {
  const ColumnMap* map;  // borrowed, like the index
  const int32_t* index;  // of m columns
  int64_t m;
  bool inverse;
};
const ColumnMap& map_of(const Node& n) { return *n.attr<CoupleAttr>().map; }
const int32_t* index_of(const Node& n) { return n.attr<CoupleAttr>().index; }
int64_t count_of(const Node& n) { return n.attr<CoupleAttr>().m; }
bool inverse_of(const Node& n) { return n.attr<CoupleAttr>().inverse; }
// Returns whether all rows share one set of parameters, [m, per] in any shape.
bool shared(const Node& n) {
  const Dims& h = n.in[kH]->out.shape;
  const int64_t m = count_of(n), per = map_of(n).per();
  return (h.rank == 1 && h[0] == checked_mul(m, per)) ||
         (h.rank == 2 && ((h[0] == 1 && h[1] == checked_mul(m, per)) || (h[0] == m && h[1] == per)));
}
template <class T>
Rows<T> numbers_of(const Node& n, const View& h) {
  if (!shared(n) || (h.shape.rank == 2 && h.shape[1] == map_of(n).per())) return matrix_of<T>(h);
  return {h.as<T>(), count_of(n), map_of(n).per(), map_of(n).per()};
}

Shapes shape(const Node& n) {
  const Dims& x = n.in[kX]->out.shape;
  need_rank(n, kX, 2);
  if (!shared(n)) {
    need_rank(n, kH, 2);
    need_extent(n, kH, 0, x[0]);
    need_extent(n, kH, 1, checked_mul(count_of(n), map_of(n).per()));
  }
  Shapes s;
  s.out = x;
  s.extra = {x[0]};
  s.has_extra = true;
  return s;
}

// Rows [first, first + n) of a group of columns, stored by unit.
template <class T>
struct Block {
  Block(Tape& t, const Node& node)
      : picked(index_of(node), count_of(node)),
        h(numbers_of<T>(node, node.view(kH))),
        per(map_of(node).per()),
        most(std::clamp<int64_t>(32 / std::max<int64_t>(per, 1), 1, std::max<int64_t>(picked.count(), 1))),
        same(shared(node)),
        params(t.scratch<T>(most * per * kBlock)),
        in(t.scratch<T>(most * kBlock)),
        out(t.scratch<T>(most * kBlock)),
        by_row(t.scratch<T>(most * kBlock)) {}

  void load(const Rows<T>& x, int64_t first_row, int64_t rows, int64_t j) {
    n = rows;
    columns = std::min(most, picked.count() - j);
    turn(x.rows_from(first_row, n), j, in);
    if (!same) return kernel::transpose(n, per * columns, h.row(first_row) + j * per, h.ld, params, n);
    for (int64_t k = 0; k < columns; ++k)
      for (int64_t i = 0; i < per; ++i) kernel::fill<T>(h.row(j + k)[i], params + (k * per + i) * n, n);
  }
  // Copies the group's columns, from j on, of rows of x into `to` by unit.
  void turn(const Rows<T>& x, int64_t j, T* to) {
    const auto from = picked.part(j, columns).read(x, by_row);
    kernel::transpose(n, columns, from.p, from.ld, to, n);
  }
  Column<T> column(int64_t k, int64_t index, T* log_det) const {
    return {n, in + k * n, params + k * per * n, out + k * n, log_det, index};
  }

  PickedColumns picked;
  Rows<T> h;
  int64_t per, most, n = 0, columns = 0;
  bool same;
  T *params, *in, *out, *by_row;
};

template <class T>
void forward(Tape& t, Node& node) {
  const auto x = matrix_of<T>(node.view(kX)), z = matrix_of<T>(node.out);
  const ColumnMap& map = map_of(node);
  T* log_det = node.extra->y<T>();
  kernel::fill<T>(0, log_det, x.rows);
  kernel::copy_rows<T>(x, z);
  const ScratchScope scope(t);
  Block<T> b(t, node);
  for (int64_t first = 0; first < x.rows; first += kBlock)
    for (int64_t j = 0; j < count_of(node); j += b.columns) {
      b.load(x, first, std::min(kBlock, x.rows - first), j);
      for (int64_t k = 0; k < b.columns; ++k)
        map.map({t, first}, b.column(k, index_of(node)[j + k], log_det + first), inverse_of(node));
      const PickedColumns part = b.picked.part(j, b.columns);
      const Rows<T> to = z.rows_from(first, b.n), turned = part.write(to, b.by_row);
      kernel::transpose(b.columns, b.n, b.out, b.n, turned.p, turned.ld);
      part.written(to, b.by_row);
    }
}

template <class T>
void vjp(Tape& t, Node& node, const InputGrads& grads) {
  const View gz_view = t.grad_out(node), gl_view = t.grad_out(*node.extra);
  const auto x = matrix_of<T>(node.view(kX)), z = matrix_of<T>(node.out), gz = matrix_of<T>(gz_view);
  const T* gl = gl_view.as<T>();
  const ColumnMap& map = map_of(node);
  const int64_t m = count_of(node);
  Rows<T> gx{}, gh{};
  bool fresh = false;
  if (grads.wants(kX)) gx = matrix_of<T>(grads.add(kX));
  if (grads.wants(kH)) gh = numbers_of<T>(node, shared(node) ? grads.add(kH) : grads.write(kH, &fresh));
  const ScratchScope scope(t);
  Block<T> b(t, node);
  const int64_t all = b.most * kBlock;
  T *g_out = t.scratch<T>(all), *g_in = t.scratch<T>(all), *g_rows = t.scratch<T>(m * kBlock);
  T *g_params = t.scratch<T>(b.per * all), *turned = t.scratch<T>(b.per * all), *zeros = t.scratch<T>(x.cols);
  kernel::fill<T>(0, g_out, all);
  kernel::fill<T>(0, zeros, x.cols);
  for (int64_t first = 0; first < x.rows; first += kBlock) {
    const int64_t n = std::min(kBlock, x.rows - first);
    for (int64_t j = 0; j < m; j += b.columns) {
      b.load(x, first, n, j);
      b.turn(z.rows_from(first, n), j, b.out);
      if (gz.p) b.turn(gz.rows_from(first, n), j, g_out);
      for (int64_t k = 0; k < b.columns; ++k) {
        const Column<T> c = b.column(k, index_of(node)[j + k], nullptr);
        map.vjp({t, first},
                ColumnGrad<T>{n, c.in, c.params, c.out, g_out + k * n, gl ? gl + first : nullptr, g_in + k * n,
                              g_params + k * b.per * n, c.column},
                inverse_of(node));
      }
      kernel::transpose(b.columns, n, g_in, n, g_rows + j, m);
      if (!gh.p) continue;
      const int64_t numbers = b.per * b.columns;
      if (b.same) {
        kernel::row_sum<T>(g_params, n, numbers, n, turned);
        for (int64_t k = 0; k < b.columns; ++k) kernel::accumulate<T>(turned + k * b.per, gh.row(j + k), b.per);
      } else if (fresh) {
        kernel::transpose(numbers, n, g_params, n, gh.row(first) + j * b.per, gh.ld);
      } else {
        kernel::transpose(numbers, n, g_params, n, turned, numbers);
        const Rows<T> to = gh.rows_from(first, n).columns_from(j * b.per, numbers);
        kernel::binary_rows<T>(kernel::Binary::add, to, {turned, n, numbers, numbers}, to);
      }
    }
    if (gx.p)
      b.picked.template add_back<T>(t, gz.p ? gz.rows_from(first, n) : shared_row(zeros, n, x.cols), {g_rows, n, m, m},
                                    gx.rows_from(first, n));
  }
}

// Tangent of the inverse x of z, column by column: z'(x) dx = dz - (dz/dh) dh.
OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const int64_t rows = n.out.shape[0], m = count_of(n);
  const int32_t* index = index_of(n);
  Var h = n.in[kH];
  if (shared(n)) h = repeat_rows(t, reshape(t, h, {1, h->out.count()}), rows);
  const bool inverse = inverse_of(n);
  const ColumnVars e = expand_columns(t, map_of(n), {index, static_cast<size_t>(m)}, inverse ? &n : n.in[kX], h, false);
  Var passing = or_zeros(t, d[kX], n.out.shape);
  if (!inverse) {
    Var dz = d.of(e.z), dl = d.of(e.log_slope);
    return {replace_columns(t, passing, index, m, or_zeros(t, dz, {rows, m})), dl ? sum_last(t, dl) : nullptr};
  }
  Var right = minus(t, {rows, m}, gather_columns(t, passing, index, m), d.along(&n, nullptr, e.z).y);
  Var dx = replace_columns(t, passing, index, m, mul(t, right, unary(t, Unary::exp, scale(t, e.log_slope, -1))));
  Var dl = d.along(&n, dx, e.log_slope).y;
  return {dx, dl ? scale(t, sum_last(t, dl), -1) : nullptr};
}

const Op kCouple = {"couple_columns", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

constexpr int32_t kOdd[] = {3, 1};

template <ColumnScale kScale, bool kInverse>
Var apply(Tape& t, const Var* in) {
  static const AffineColumn map(kScale, 2);
  return couple_columns(t, map, kOdd, 2, in[0], in[1], kInverse).y;
}

const OpCase kCases[] = {
    {"couple_columns", {{"n5"}, {"n4"}}, apply<ColumnScale::bounded_exp, false>},
    {"couple_columns_inverse", {{"n5"}, {"n4"}}, apply<ColumnScale::bounded_exp, true>},
    {"couple_columns_shared", {{"n4"}, {"4"}}, apply<ColumnScale::softplus, false>},
    {"couple_columns_shared_inverse", {{"n4"}, {"22"}}, apply<ColumnScale::gate, true>},
};

}  // namespace

extern const OpFamily family_couple_columns;
const OpFamily family_couple_columns = {"couple_columns", kCases, std::size(kCases)};

Mapped couple_columns(Tape& t, const ColumnMap& map, const int32_t* index, int64_t m, Var x, Var h, bool inverse) {
  return mapped(t.record(kCouple, {x, h}, CoupleAttr{&map, index, m, inverse}));
}

}  // namespace libnf
