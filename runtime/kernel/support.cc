#include "runtime/kernel/support.h"

#include <cmath>
#include <limits>

namespace libnf::kernel {
namespace {

constexpr double kTolerance = 1e-2;  // fraction of a step; larger than the float32 rounding of a level such as 7/255

template <class T>
bool inside(const Support& s, T value) {
  const auto v = static_cast<double>(value);
  if (s.step == 0) return v >= s.low && v <= s.high;
  const double at = (v - s.low) / s.step;
  return std::abs(at - std::round(at)) <= kTolerance && at >= -kTolerance && v <= s.high + kTolerance * s.step;
}

}  // namespace

template <class T>
void row_support(const Support& s, const Rows<const T>& x, T* out) {
  for (int64_t r = 0; r < x.rows; ++r) {
    const T* row = x.row(r);
    T log_density = 0;
    for (int64_t j = 0; j < x.cols; ++j) {
      if (row[j] != row[j])
        log_density = row[j];
      else if (!inside(s, row[j]))
        log_density -= std::numeric_limits<T>::infinity();  // a NaN stays NaN
    }
    out[r] = log_density;
  }
}
template void row_support<float>(const Support&, const Rows<const float>&, float*);
template void row_support<double>(const Support&, const Rows<const double>&, double*);

}  // namespace libnf::kernel
