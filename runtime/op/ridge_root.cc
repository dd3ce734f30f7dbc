#include "runtime/op/ridge_root.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernel/binary.h"

namespace libnf {
namespace {

using kernel::Ridge;

template <class T>
class Equation final : public RootFunction<T> {
 public:
  // `gathered` has room for m of all n elements.
  Equation(Ridge h, T slope, const T* m, int64_t m_step, T* gathered)
      : h_(h), slope_(slope), m_(m), m_step_(m_step), gathered_(gathered) {}
  void evaluate(int64_t count, const int32_t* which, const T* a, T* y, T* det) const override {
    if (m_step_)
      for (int64_t k = 0; k < count; ++k) gathered_[k] = m_[which[k]];
    kernel::ridge_equation(h_, slope_, a, m_step_ ? gathered_ : m_, m_step_, y, det, count);
  }

 private:
  Ridge h_;
  T slope_;
  const T* m_;
  int64_t m_step_;
  T* gathered_;
};

}  // namespace

// tanh is odd, elu is the identity above 0, and both are concave or convex on each side of 0. From this starting point,
// Newton steps approach the root without passing it.
template <class T>
void ridge_root(Tape& t, Ridge h, T slope, const RootLimits& limits, const T* m, int64_t m_step, T* a, int64_t n) {
  if (h == Ridge::leaky_relu) {
    for (int64_t r = 0; r < n; ++r) a[r] /= a[r] < 0 ? (1 - slope) + slope * m[r * m_step] : m[r * m_step];
    return;
  }
  const ScratchScope scope(t);
  T *y = t.scratch<T>(n), *low = t.scratch<T>(n), *high = t.scratch<T>(n), *gathered = t.scratch<T>(n);
  kernel::copy(a, y, n);
  for (int64_t r = 0; r < n; ++r) {
    const T c = m[r * m_step] - 1, size = std::abs(y[r]);
    T first = size / m[r * m_step], least = 0, most = std::numeric_limits<T>::infinity();  // bounds of |a|
    if (h == Ridge::tanh || y[r] < 0) {
      least = c < 0 ? size : std::max(T(0), size - c);
      most = c < 0 ? size - c : size;
      first = !(first > least) ? least : !(first < most) ? most : first;
    }
    const bool below = y[r] < 0;
    a[r] = below ? -first : first;
    low[r] = below ? -most : least;
    high[r] = below ? -least : most;
  }
  find_roots<T>(t, limits, Equation<T>(h, slope, m, m_step, gathered), {n, y, a, low, high});
}

template void ridge_root<float>(Tape&, Ridge, float, const RootLimits&, const float*, int64_t, float*, int64_t);
template void ridge_root<double>(Tape&, Ridge, double, const RootLimits&, const double*, int64_t, double*, int64_t);

}  // namespace libnf
