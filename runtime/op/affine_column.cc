#include "runtime/op/affine_column.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/scale_map.h"

namespace nf {
namespace {

constexpr ScaleMap kMaps[] = {ScaleMap::bounded_exp, ScaleMap::soft_exp, ScaleMap::sigmoid, ScaleMap::softplus_open};
constexpr double kForget = 1;  // g = sigmoid(raw + kForget)

}  // namespace

// s, log s and d(log s)/d(raw); for the gate the latter is 1 - g.
template <class T, class C>
void AffineColumn::find_scale(const C& c, T* s, T* log_s, T* slope) const {
  const T* raw = c.params + c.n;
  if (scale_ != ColumnScale::gate) {
    kernel::copy<T>(raw, slope, c.n);
    return scale_map<T>(kMaps[static_cast<size_t>(scale_)], static_cast<T>(cap_), s, log_s, slope, c.n);
  }
  for (int64_t r = 0; r < c.n; ++r) log_s[r] = -(raw[r] + static_cast<T>(kForget));
  kernel::unary<T>(Unary::sigmoid, 0, log_s, slope, c.n);
  kernel::unary<T>(Unary::softplus, 1, log_s, log_s, c.n);
  kernel::scale<T>(-1, log_s, log_s, c.n);
  kernel::unary<T>(Unary::exp, 0, log_s, s, c.n);
}

template <class T>
void AffineColumn::apply(Tape& t, const Column<T>& c, bool inverse) const {
  const ScratchScope scope(t);
  T *s = t.scratch<T>(3 * c.n), *log_s = s + c.n, *slope = log_s + c.n;
  find_scale(c, s, log_s, slope);
  const bool gate = scale_ == ColumnScale::gate;
  for (int64_t r = 0; r < c.n; ++r) {
    const T shift = gate ? slope[r] * c.params[r] : c.params[r];
    c.out[r] = inverse ? (c.in[r] - shift) / s[r] : c.in[r] * s[r] + shift;
  }
  kernel::axpy<T>(inverse ? T(-1) : T(1), log_s, c.log_det, c.n);
}

// z = x s + t:       gx = gz s,  gt = gz,       graw = (gz x s + gl) slope
// x = (z - t)/s:     gz = gx/s,  gt = -gx/s,    graw = -(gx x + gl) slope
// The gate's shift is (1 - g) t, and d(1 - g)/d(raw) = -g (1 - g): t takes 1 - g times its gradient, and graw loses
// g (1 - g) t times that of the shift.
template <class T>
void AffineColumn::differentiate(Tape& t, const ColumnGrad<T>& c, bool inverse) const {
  const ScratchScope scope(t);
  T *s = t.scratch<T>(3 * c.n), *log_s = s + c.n, *slope = log_s + c.n;
  find_scale(c, s, log_s, slope);
  T *gt = c.g_params, *graw = gt + c.n;
  for (int64_t r = 0; r < c.n; ++r) {
    const T g = c.g_out[r], gl = c.g_log_det ? c.g_log_det[r] : T(0);
    c.g_in[r] = inverse ? g / s[r] : g * s[r];
    gt[r] = inverse ? -c.g_in[r] : g;
    graw[r] = inverse ? -(g * c.out[r] + gl) * slope[r] : (c.g_in[r] * c.in[r] + gl) * slope[r];
  }
  if (scale_ != ColumnScale::gate) return;
  for (int64_t r = 0; r < c.n; ++r) {
    graw[r] -= s[r] * slope[r] * c.params[r] * gt[r];
    gt[r] *= slope[r];
  }
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

}  // namespace nf
