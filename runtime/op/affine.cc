// Elementwise affine map with parameters shared by all rows.
//   forward:  z = x exp(l) + b,    log_det = sum_j l_j
//   inverse:  x = (z - b) exp(-l), log_det = -sum_j l_j
// Accuracy: exp to 1 ULP (Highway), then one multiply and one add.
#include "runtime/kernel/batch.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/affine_grad.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {

using kernel::ColumnTerm;
namespace {
enum { kX, kLogScale, kShift };
}  // namespace

template <class T>
void affine_vjp(Tape& t, Node& n, const InputGrads& grads, bool inverse) {
  const View gy_view = t.grad_out(n), gl_view = t.grad_out(*n.extra);
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out), gy = matrix_of<T>(gy_view);
  const T* factor = static_cast<const T*>(n.saved);
  const auto gx = gy.p && grads.wants(kX) ? matrix_of<T>(grads.add(kX)) : Rows<T>{};
  T* g_scale = grads.wants(kLogScale) ? grads.add(kLogScale).as<T>() : nullptr;
  T* g_shift = grads.wants(kShift) ? grads.add(kShift).as<T>() : nullptr;
  if (const T* gl = gl_view.as<T>(); gl && g_scale) {
    T sum;
    kernel::row_sum<T>(gl, x.rows, 1, x.rows, &sum);
    kernel::binary_scalar<T>(kernel::Binary::add, g_scale, inverse ? -sum : sum, g_scale, x.cols);
  }
  if (!gy.p) return;
  for_row_blocks(x.rows, x.cols, [&](int64_t first, int64_t rows) {
    const auto factors = shared_row(factor, rows, x.cols);
    const Rows<T> g = gy.rows_from(first, rows), from = (inverse ? y : x).rows_from(first, rows);
    if (gx.p) kernel::update_rows<T>(kernel::RowUpdate::fused, g, factors, gx.rows_from(first, rows));
    if (g_scale) kernel::column_terms<T>(inverse ? ColumnTerm::minus : ColumnTerm::product, g, from, factors, g_scale);
    if (g_shift) kernel::column_terms<T>(inverse ? ColumnTerm::minus : ColumnTerm::value, g, factors, {}, g_shift);
  });
}
template void affine_vjp<float>(Tape&, Node&, const InputGrads&, bool);
template void affine_vjp<double>(Tape&, Node&, const InputGrads&, bool);

// dz = dx e^l + (x e^l) dl + db;  dx = (dz - db) e^-l - x dl
OutputTangents affine_tangent(Tape& t, Node& n, const InputTangents& d, bool inverse) {
  const Dims& rows = n.out.shape;
  Var dl = d[kLogScale], dx = inverse ? minus(t, rows, d[kX], d[kShift]) : d[kX];
  Var factor = unary(t, Unary::exp, scale(t, n.in[kLogScale], inverse ? -1 : 1));
  Var dy = dx ? mul(t, dx, factor) : nullptr;
  if (dl) dy = inverse ? minus(t, rows, dy, mul(t, &n, dl)) : plus(t, rows, dy, mul(t, mul(t, n.in[kX], factor), dl));
  if (!inverse) dy = plus(t, rows, dy, d[kShift]);
  return {dy, dl ? spread(t, scale(t, sum(t, dl), inverse ? -1 : 1), n.extra->out.shape) : nullptr};
}

namespace {

struct AffineAttr {
  bool inverse;
};
bool inverse_of(const Node& n) { return n.attr<AffineAttr>().inverse; }

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  for (int i : {kLogScale, kShift}) {
    need_rank(n, i, 1);
    need_extent(n, i, 0, n.in[kX]->out.shape[1]);
  }
  Shapes s;
  s.out = n.in[kX]->out.shape;
  s.extra = {s.out[0]};
  s.has_extra = true;
  s.saved = {s.out[1]};  // the factor exp(+-l)
  s.has_saved = true;
  return s;
}

template <class T>
void forward(Tape&, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out);
  const T* l = n.x<T>(kLogScale);
  const T* b = n.x<T>(kShift);
  const bool inverse = inverse_of(n);
  T* factor = static_cast<T*>(n.saved);
  kernel::scale<T>(inverse ? -1 : 1, l, factor, x.cols);
  T sum;
  kernel::row_sum<T>(factor, x.cols, 1, x.cols, &sum);
  kernel::fill<T>(sum, n.extra->y<T>(), x.rows);
  kernel::unary<T>(Unary::exp, 0, factor, factor, x.cols);
  using kernel::RowMap;
  kernel::affine_rows<T>(inverse ? RowMap::inverse : RowMap::forward, x, shared_row(factor, x.rows, x.cols),
                         shared_row(b, x.rows, x.cols), y);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  affine_vjp<T>(t, n, grads, inverse_of(n));
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) { return affine_tangent(t, n, d, inverse_of(n)); }

const Op kAffine = {"affine", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"affine", {{"nd"}, {"d"}, {"d"}}, [](Tape& t, const Var* in) { return affine(t, in[0], in[1], in[2], false).y; }},
    {"affine_inverse",
     {{"nd"}, {"d"}, {"d"}},
     [](Tape& t, const Var* in) { return affine(t, in[0], in[1], in[2], true).y; }},
};

}  // namespace

extern const OpFamily family_affine;
const OpFamily family_affine = {"affine", kCases, std::size(kCases)};

Mapped affine(Tape& t, Var x, Var log_scale, Var shift, bool inverse) {
  return mapped(t.record(kAffine, {x, log_scale, shift}, AffineAttr{inverse}));
}

}  // namespace libnf
