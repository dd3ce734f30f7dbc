#include "runtime/op/root.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "runtime/core/status.h"

namespace libnf {
namespace {

constexpr double kRoundings = 4;  // roundings of y and of x f'(x) that a residual may be off by

// Returns the middle of a bracket. If its ends differ in magnitude, this is the middle of the representable numbers
// between them, so the number of bits of T bounds the steps that isolate any root.
template <class T>
T middle_of(T low, T high) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  if (low < 0 && high > 0) return 0;
  const T a = std::abs(low), b = std::abs(high);
  if (std::max(a, b) <= 4 * std::min(a, b)) return low / 2 + high / 2;
  const T size = std::bit_cast<T>(static_cast<Bits>(std::bit_cast<Bits>(a) / 2 + std::bit_cast<Bits>(b) / 2));
  return high > 0 ? size : -size;
}

template <class T>
struct Point {
  T x, low, high;
  T reach;  // step size where the bracket is open
  T last;   // |residual| at the previous point
};

// Returns the next point to evaluate, given residual r and slope at p.x; p.x itself if no number is left to try.
template <class T>
T next_point(Point<T>& p, T r, T slope) {
  const T newton = p.x - r / slope;
  if (slope > 0 && newton > p.low && newton < p.high && std::abs(r) <= p.last / 2 &&
      (std::abs(newton - p.x) <= p.reach || (std::isfinite(p.low) && std::isfinite(p.high))))
    return newton;
  const T open = r > 0 ? p.low : p.high;
  if (std::isinf(open)) {
    const T far = r > 0 ? p.x - p.reach : p.x + p.reach;
    p.reach *= 4;
    return std::clamp(far, std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
  }
  const T middle = middle_of(p.low, p.high);
  return middle > p.low && middle < p.high ? middle : p.x;
}

}  // namespace

template <class T>
void find_roots(const RowScope& s, const RootLimits& limits, const RootFunction<T>& f, const Roots<T>& roots) {
  Tape& t = s.tape;
  const int64_t n = roots.n;
  const ScratchScope scope(t);
  T *x = t.scratch<T>(n), *value = t.scratch<T>(n), *slope = t.scratch<T>(n);
  T *reach = t.scratch<T>(n), *last = t.scratch<T>(n);
  int32_t* active = t.scratch<int32_t>(n);
  const auto tolerance = static_cast<T>(limits.tolerance);
  constexpr T kFloor = static_cast<T>(kRoundings) * std::numeric_limits<T>::epsilon();
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (roots.residual) roots.residual[i] = 0;
    if (!std::isfinite(roots.y[i]) || !std::isfinite(roots.x[i])) {
      roots.x[i] = std::numeric_limits<T>::quiet_NaN();
      continue;
    }
    reach[i] = std::max(T(1), std::abs(roots.x[i]));
    last[i] = std::numeric_limits<T>::infinity();
    active[count++] = static_cast<int32_t>(i);
  }
  for (int64_t iteration = 0; count > 0 && iteration < limits.max_iterations; ++iteration) {
    for (int64_t k = 0; k < count; ++k) x[k] = roots.x[active[k]];
    f.evaluate(count, active, x, value, slope);
    int64_t left = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int32_t i = active[k];
      const T y = roots.y[i], r = value[k] - y, size = std::abs(r);
      if (roots.residual) roots.residual[i] = r;
      if (std::isnan(r) || std::isnan(slope[k])) {
        roots.x[i] = std::numeric_limits<T>::quiet_NaN();
        continue;
      }
      (r > 0 ? roots.high[i] : roots.low[i]) = x[k];
      const T allowed =
          std::max(tolerance * std::max(T(1), std::abs(y)), kFloor * (std::abs(y) + std::abs(slope[k] * x[k])));
      if (size <= allowed && std::isfinite(size)) {
        const T step = r / slope[k], polished = x[k] - step;
        if (std::abs(step) <= reach[i] / 64 && polished >= roots.low[i] && polished <= roots.high[i])
          roots.x[i] = polished;
        continue;
      }
      Point<T> p{x[k], roots.low[i], roots.high[i], reach[i], last[i]};
      const T next = next_point(p, r, slope[k]);
      reach[i] = p.reach;
      last[i] = size;
      if (next == x[k] && std::isfinite(p.low) && std::isfinite(p.high)) continue;  // ends are adjacent numbers
      roots.x[i] = next;
      value[left] = r;
      active[left++] = i;
    }
    count = left;
  }
  if (count == 0 || t.measuring) return;
  const T y = roots.y[active[0]];
  const int64_t row = s.global_row(active[0]);
  fail_at(
      Code::not_inverted, {row, -1},
      "row %lld is not inverted: residual %.2g where %.2g is allowed, after %lld iteration%s; raise max_iterations or "
      "tolerance",
      static_cast<long long>(row), std::abs(static_cast<double>(value[0])),
      limits.tolerance * std::max(1.0, std::abs(static_cast<double>(y))), static_cast<long long>(limits.max_iterations),
      limits.max_iterations == 1 ? "" : "s");
}

template void find_roots<float>(const RowScope&, const RootLimits&, const RootFunction<float>&, const Roots<float>&);
template void find_roots<double>(const RowScope&, const RootLimits&, const RootFunction<double>&, const Roots<double>&);

}  // namespace libnf
