// The maps from a net's raw output to a positive scale, one kernel per step; formulas in runtime/op/ops.h.
#include "runtime/op/scale_map.h"

#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/unary.h"

namespace nf {

namespace {
constexpr double kLog1000 = 6.907755278982137, kLeast = 1e-3, kMost = 3;
}  // namespace

ScaleVars scale_map(Tape& t, ScaleMap map, double cap, Var raw) {
  Var s = nullptr, log_s = raw;
  switch (map) {
    case ScaleMap::bounded_exp:
      log_s = scale(t, unary(t, Unary::tanh, scale(t, raw, 1 / cap)), cap);
      break;
    case ScaleMap::exp:
      break;
    case ScaleMap::sigmoid:
      s = add_scalar(t, unary(t, Unary::sigmoid, add_scalar(t, raw, 2)), kLeast);
      break;
    case ScaleMap::softplus:
      s = add_scalar(t, unary(t, Unary::softplus, raw, 1), kLeast);
      s = minimum(t, s, add_scalar(t, t.zeros({1}), kMost));
      break;
    case ScaleMap::soft_exp:
      log_s = scale(t, unary(t, Unary::softsign, scale(t, raw, 1 / kLog1000)), kLog1000);
      break;
    case ScaleMap::softplus_open:
      s = add_scalar(t, unary(t, Unary::softplus, raw, 1), kLeast);
      break;
  }
  return s ? ScaleVars{s, unary(t, Unary::log, s)} : ScaleVars{unary(t, Unary::exp, log_s), log_s};
}

template <class T>
void scale_map(ScaleMap map, T cap, T* s, T* log_s, T* slope, int64_t n) {
  using kernel::Binary;
  switch (map) {
    case ScaleMap::bounded_exp:
      kernel::binary_scalar<T>(Binary::div, slope, cap, slope, n);
      kernel::unary<T>(Unary::tanh, 0, slope, log_s, n);
      kernel::fill<T>(1, slope, n);
      kernel::mul_sub<T>(log_s, log_s, slope, n);  // 1 - tanh^2
      kernel::scale<T>(cap, log_s, log_s, n);
      kernel::unary<T>(Unary::exp, 0, log_s, s, n);
      return;
    case ScaleMap::exp:
      kernel::copy<T>(slope, log_s, n);
      kernel::unary<T>(Unary::exp, 0, log_s, s, n);
      kernel::fill<T>(1, slope, n);
      return;
    case ScaleMap::sigmoid:
      kernel::binary_scalar<T>(Binary::add, slope, T(2), log_s, n);
      kernel::unary<T>(Unary::sigmoid, 0, log_s, slope, n);
      kernel::binary_scalar<T>(Binary::add, slope, T(1e-3), s, n);
      for (int64_t i = 0; i < n; ++i) slope[i] = slope[i] * (1 - slope[i]) / s[i];
      kernel::unary<T>(Unary::log, 0, s, log_s, n);
      return;
    case ScaleMap::softplus:
      kernel::unary<T>(Unary::softplus, 1, slope, s, n);
      kernel::unary<T>(Unary::sigmoid, 0, slope, log_s, n);
      for (int64_t i = 0; i < n; ++i) {
        const T open = s[i] + T(1e-3);
        s[i] = open > 3 ? T(3) : open;
        slope[i] = open > 3 ? T(0) : log_s[i] / s[i];
      }
      kernel::unary<T>(Unary::log, 0, s, log_s, n);
      return;
    case ScaleMap::soft_exp: {
      const T c = static_cast<T>(kLog1000);
      for (int64_t i = 0; i < n; ++i) {
        const T q = c / (c + std::abs(slope[i]));
        log_s[i] = slope[i] * q;
        slope[i] = q * q;
      }
      kernel::unary<T>(Unary::exp, 0, log_s, s, n);
      return;
    }
    case ScaleMap::softplus_open:
      kernel::unary<T>(Unary::softplus, 1, slope, s, n);
      kernel::unary<T>(Unary::sigmoid, 0, slope, log_s, n);
      for (int64_t i = 0; i < n; ++i) {
        s[i] += T(1e-3);
        slope[i] = log_s[i] / s[i];
      }
      kernel::unary<T>(Unary::log, 0, s, log_s, n);
      return;
  }
}

template void scale_map<float>(ScaleMap, float, float*, float*, float*, int64_t);
template void scale_map<double>(ScaleMap, double, double*, double*, double*, int64_t);

}  // namespace nf
