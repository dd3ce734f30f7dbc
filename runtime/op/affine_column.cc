#include "runtime/op/affine_column.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/rows.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/scale_map.h"

namespace libnf {
namespace {

using kernel::Binary, kernel::RowMap;
constexpr ScaleMap kMaps[] = {ScaleMap::bounded_exp, ScaleMap::soft_exp, ScaleMap::sigmoid, ScaleMap::softplus_open};
constexpr double kForget = 1;  // g = sigmoid(raw + kForget)

}  // namespace

// s, log s and d(log s)/d(raw); for the gate the latter is 1 - g.
template <class T, class C>
void AffineColumn::find_scale(const C& c, T* s, T* log_s, T* slope) const {
  const T* raw = c.params + c.n;
  if (scale_ != ColumnScale::gate)
    return kernel::scale_map<T>(kMaps[static_cast<size_t>(scale_)], static_cast<T>(cap_), raw, s, log_s, slope, c.n);
  kernel::binary_scalar<T>(Binary::add, raw, static_cast<T>(kForget), log_s, c.n);
  kernel::scale<T>(-1, log_s, log_s, c.n);
  kernel::unary<T>(Unary::sigmoid, 0, log_s, slope, c.n);
  kernel::unary<T>(Unary::softplus, 1, log_s, log_s, c.n);
  kernel::scale<T>(-1, log_s, log_s, c.n);
  kernel::unary<T>(Unary::exp, 0, log_s, s, c.n);
}

namespace {

template <class T>
Rows<const T> span_of(const T* p, int64_t n) {
  return {p, 1, n, n};
}

}  // namespace

template <class T>
void AffineColumn::apply(Tape& t, const Column<T>& c, bool inverse) const {
  const ScratchScope scope(t);
  T *s = t.scratch<T>(3 * c.n), *log_s = s + c.n, *slope = log_s + c.n;
  find_scale(c, s, log_s, slope);
  const T* shift = c.params;
  if (scale_ == ColumnScale::gate) {
    kernel::binary<T>(Binary::mul, slope, c.params, slope, c.n);
    shift = slope;
  }
  kernel::affine_rows<T>(inverse ? RowMap::divide : RowMap::forward, span_of(c.in, c.n), span_of<T>(s, c.n),
                         span_of(shift, c.n), Rows<T>{c.out, 1, c.n, c.n});
  kernel::axpy<T>(inverse ? T(-1) : T(1), log_s, c.log_det, c.n);
}

// z = x s + t:       gx = gz s,  gt = gz,       graw = (gz s x + gl) slope
// x = (z - t)/s:     gz = gx/s,  gt = -gx/s,    graw = -(gx x + gl) slope
// The gate's shift is (1 - g) t, and d(1 - g)/d(raw) = -g (1 - g): t takes 1 - g times its gradient, and graw loses
// g (1 - g) t times that of the shift.
template <class T>
void AffineColumn::differentiate(Tape& t, const ColumnGrad<T>& c, bool inverse) const {
  const ScratchScope scope(t);
  const int64_t n = c.n;
  T *s = t.scratch<T>(3 * n), *log_s = s + n, *slope = log_s + n;
  find_scale(c, s, log_s, slope);
  T *gt = c.g_params, *graw = gt + n;
  kernel::binary<T>(inverse ? Binary::div : Binary::mul, c.g_out, s, c.g_in, n);
  kernel::binary<T>(Binary::mul, inverse ? c.g_out : c.g_in, inverse ? c.out : c.in, graw, n);
  if (c.g_log_det)
    kernel::accumulate<T>(c.g_log_det, graw, n);
  else
    kernel::binary_scalar<T>(Binary::add, graw, 0, graw, n);  // -0 becomes 0
  kernel::binary<T>(Binary::mul, graw, slope, graw, n);
  if (inverse) {
    kernel::scale<T>(-1, graw, graw, n);
    kernel::scale<T>(-1, c.g_in, gt, n);
  } else {
    kernel::copy<T>(c.g_out, gt, n);
  }
  if (scale_ != ColumnScale::gate) return;
  T* lost = log_s;
  kernel::binary<T>(Binary::mul, s, slope, lost, n);
  kernel::binary<T>(Binary::mul, lost, c.params, lost, n);
  kernel::binary<T>(Binary::mul, lost, gt, lost, n);
  kernel::binary<T>(Binary::sub, graw, lost, graw, n);
  kernel::binary<T>(Binary::mul, gt, slope, gt, n);
}

void AffineColumn::map(const RowScope& s, const Column<float>& c, bool inverse) const { apply(s.tape, c, inverse); }
void AffineColumn::map(const RowScope& s, const Column<double>& c, bool inverse) const { apply(s.tape, c, inverse); }
void AffineColumn::vjp(const RowScope& s, const ColumnGrad<float>& c, bool inverse) const {
  differentiate(s.tape, c, inverse);
}
void AffineColumn::vjp(const RowScope& s, const ColumnGrad<double>& c, bool inverse) const {
  differentiate(s.tape, c, inverse);
}

ColumnVars AffineColumn::expand(Tape& t, Var x, Var h, std::span<const int32_t>) const {
  Var shift = slice_columns(t, h, 0, 1), raw = slice_columns(t, h, 1, 1);
  ScaleVars v;
  if (scale_ == ColumnScale::gate) {
    raw = add_scalar(t, raw, kForget);
    shift = mul(t, shift, unary(t, Unary::sigmoid, scale(t, raw, -1)));
    v = {unary(t, Unary::sigmoid, raw), unary(t, Unary::log_sigmoid, raw)};
  } else {
    v = scale_map(t, kMaps[static_cast<size_t>(scale_)], cap_, raw);
  }
  return {add(t, mul(t, x, v.s), shift), v.log_s};
}

}  // namespace libnf
