// Elementwise affine map with parameters shared by rows, for numbers that are sums of two floats:
//   forward:  z = (x + x_low) exp(l) + (b + b_low),      log_det = sum_j l_j
//   inverse:  x = (z + z_low - (b + b_low)) exp(-l),     log_det = -sum_j l_j
// With Tape::keeps_low, what rounding takes from the result is its low part. Gradients are those of affine.cc:
// x_low is below the rounding error of the products with x.
// Accuracy: computed in double and rounded once; a result whose low parts are all zero is that of affine.cc. In a float64
// graph there is no low part but b_low, which is added to b.
#include "runtime/op/affine_low.h"

#include <algorithm>

#include "runtime/kernel/batch.h"
#include "runtime/kernel/binary.h"
#include "runtime/kernel/low.h"
#include "runtime/kernel/reduce.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/affine_grad.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

using kernel::RowMap;
enum { kX, kLogScale, kShift, kShiftLow };  // kShiftLow may be nullptr

struct AffineLowAttr {
  bool inverse;
};
bool inverse_of(const Node& n) { return n.attr<AffineLowAttr>().inverse; }

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  for (int i : {kLogScale, kShift, kShiftLow}) {
    if (!n.in[i]) continue;
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

// The output without low parts, with the bits of affine.cc.
template <class T>
void map_rows(Node& n, const T* shift) {
  const auto x = matrix_of<T>(n.view(kX));
  T* factor = static_cast<T*>(n.saved);
  kernel::scale<T>(inverse_of(n) ? -1 : 1, n.x<T>(kLogScale), factor, x.cols);
  T sum;
  kernel::row_sum<T>(factor, x.cols, 1, x.cols, &sum);
  kernel::fill<T>(sum, n.extra->y<T>(), x.rows);
  kernel::unary<T>(Unary::exp, 0, factor, factor, x.cols);
  kernel::affine_rows<T>(inverse_of(n) ? RowMap::inverse : RowMap::forward, x, shared_row(factor, x.rows, x.cols),
                         shared_row(shift, x.rows, x.cols), matrix_of<T>(n.out));
}

template <class T>
void forward(Tape& t, Node& n);

template <>
void forward<double>(Tape& t, Node& n) {
  const double *shift = n.x<double>(kShift), *low = n.x<double>(kShiftLow);
  if (!low) return map_rows<double>(n, shift);
  const ScratchScope scope(t);
  const int64_t cols = n.out.shape[1];
  double* whole = t.scratch<double>(cols);
  kernel::binary<double>(kernel::Binary::add, shift, low, whole, cols);
  map_rows<double>(n, whole);
}

template <>
void forward<float>(Tape& t, Node& n) {
  if (t.keeps_low) n.low = t.take_low(n);
  map_rows<float>(n, n.x<float>(kShift));
  const auto x = matrix_of<float>(n.view(kX));
  const ScratchScope scope(t);
  double* factor = t.scratch<double>(x.cols);
  for (int64_t j = 0; j < x.cols; ++j) factor[j] = static_cast<double>(n.x<float>(kLogScale)[j]);
  kernel::scale<double>(inverse_of(n) ? -1 : 1, factor, factor, x.cols);
  kernel::unary<double>(Unary::exp, 0, factor, factor, x.cols);
  const auto row = [&](int i) { return shared_row(n.x<float>(i), x.rows, x.cols); };
  const kernel::HighLow rows{x, {n.in[kX]->low, x.rows, x.cols, x.ld}}, shift{row(kShift), row(kShiftLow)}, none{};
  kernel::affine_low(rows, inverse_of(n) ? shift : none, factor, inverse_of(n) ? none : shift, matrix_of<float>(n.out),
                     n.low);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  affine_vjp<T>(t, n, grads, inverse_of(n));
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) { return affine_tangent(t, n, d, inverse_of(n)); }

const Op kAffineLow = {"affine_low", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

Mapped record(Tape& t, Var x, Var log_scale, Var shift, Var shift_low, bool inverse) {
  return mapped(t.record(kAffineLow, {x, log_scale, shift, shift_low}, AffineLowAttr{inverse}));
}

const OpCase kCases[] = {
    {"affine_low",
     {{"nd"}, {"d"}, {"d"}, {"d", Domain::real, false}},
     [](Tape& t, const Var* in) { return record(t, in[0], in[1], in[2], in[3], false).y; }},
    {"affine_low_inverse",
     {{"nd"}, {"d"}, {"d"}, {"d", Domain::real, false}},
     [](Tape& t, const Var* in) { return record(t, in[0], in[1], in[2], in[3], true).y; }},
};

bool all_zero(Var v) {
  return !v || with_dtype(v->out.dtype, [&]<class T>() {
    const T* p = v->out.as<T>();
    return std::all_of(p, p + v->out.count(), [](T x) { return x == 0; });
  });
}

}  // namespace

extern const OpFamily family_affine_low;
const OpFamily family_affine_low = {"affine_low", kCases, std::size(kCases)};

Mapped affine_low(Tape& t, Var x, Var log_scale, Var shift, Var shift_low, bool inverse) {
  // A dry run takes the memory that it takes with low parts.
  if (!t.measuring && !x->low && !t.keeps_low && all_zero(shift_low)) return affine(t, x, log_scale, shift, inverse);
  return record(t, x, log_scale, shift, shift_low, inverse);
}

}  // namespace libnf
