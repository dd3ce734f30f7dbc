// Scale maps: the bits of their steps taken one by one with kernel::unary, finite for raw values of any size, on every
// SIMD target, and no write outside of the spans.
#include "runtime/kernel/scale_map.h"

#include "runtime/kernel/binary.h"
#include "runtime/kernel/unary.h"
#include "tests/runtime/kernel/matrices.h"

namespace libnf::test {
namespace {

using kernel::ScaleMap;
using kernel::Unary;
constexpr ScaleMap kAll[] = {ScaleMap::bounded_exp, ScaleMap::exp,           ScaleMap::sigmoid,      ScaleMap::softplus,
                             ScaleMap::soft_exp,    ScaleMap::softplus_open, ScaleMap::plain_sigmoid};

template <class T>
struct Scale {
  T s, log_s, slope;
};

template <class T>
T of(Unary f, T x, T a = 0) {
  T y;
  kernel::unary<T>(f, a, &x, &y, 1);
  return y;
}

template <class T>
Scale<T> by_steps(int64_t target, ScaleMap map, T cap, T raw) {
  switch (map) {
    case ScaleMap::bounded_exp: {
      const T t = of(Unary::tanh, raw / cap), log_s = cap * t;
      return {of(Unary::exp, log_s), log_s, multiply_add(target, -t, t, T(1))};
    }
    case ScaleMap::exp:
      return {of(Unary::exp, raw), raw, 1};
    case ScaleMap::sigmoid: {
      const T p = of(Unary::sigmoid, raw + 2), s = p + T(1e-3);
      return {s, of(Unary::log, s), rounded(p * rounded(1 - p)) / s};
    }
    case ScaleMap::softplus:
    case ScaleMap::softplus_open: {
      const T open = of(Unary::softplus, raw, T(1)) + T(1e-3), s = map == ScaleMap::softplus && open > 3 ? 3 : open;
      return {s, of(Unary::log, s), s == open ? of(Unary::sigmoid, raw) / s : 0};
    }
    case ScaleMap::plain_sigmoid:
      return {of(Unary::sigmoid, raw + 2), -of(Unary::softplus, -(raw + 2), T(1)), of(Unary::sigmoid, -(raw + 2))};
    case ScaleMap::soft_exp: {
      const T c = static_cast<T>(kernel::kLog1000), q = c / (c + std::abs(raw)), log_s = raw * q;
      return {of(Unary::exp, log_s), log_s, rounded(q * q)};
    }
  }
  return {};
}

template <class T>
class ScaleMapKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ScaleMapKernel, Types);

TYPED_TEST(ScaleMapKernel, HasTheBitsOfItsSteps) {
  using T = TypeParam;
  on_every_target([](int64_t target) {
    for (const ScaleMap map : kAll)
      for (int64_t n = 0; n <= 70; ++n) {
        const Matrix<T> raw(1, n, Layout::whole, 1);
        Matrix<T> s(1, n, Layout::whole, 2), log_s = s, slope = s, in_place = raw;
        kernel::scale_map<T>(map, T(1.5), raw.rows().p, s.rows().p, log_s.rows().p, slope.rows().p, n);
        const auto want = [&](int64_t c) { return by_steps<T>(target, map, T(1.5), raw(0, c)); };
        s.expect([&](int64_t, int64_t c, T) { return want(c).s; });
        log_s.expect([&](int64_t, int64_t c, T) { return want(c).log_s; });
        slope.expect([&](int64_t, int64_t c, T) { return want(c).slope; });
        T* p = in_place.rows().p;
        kernel::scale_map<T>(map, T(1.5), p, s.rows().p, log_s.rows().p, p, n);
        in_place.expect([&](int64_t, int64_t c, T) { return want(c).slope; });
      }
  });
}

TYPED_TEST(ScaleMapKernel, FiniteForRawValuesOfAnySize) {
  using T = TypeParam;
  constexpr T kMost = std::numeric_limits<T>::max(), kNaN = std::numeric_limits<T>::quiet_NaN();
  on_every_target([&](int64_t) {
    for (const ScaleMap map : kAll) {
      const T raw[] = {kMost, -kMost, 0, kNaN};
      T s[4], log_s[4], slope[4];
      kernel::scale_map<T>(map, T(2), raw, s, log_s, slope, 4);
      for (int i = 0; i < 3; ++i) {
        if (map == ScaleMap::exp && i < 2) continue;
        if (map == ScaleMap::plain_sigmoid)
          EXPECT_GE(s[i], 0);  // it underflows
        else
          EXPECT_GT(s[i], 0);
        EXPECT_TRUE(std::isfinite(s[i]) && std::isfinite(log_s[i]) && std::isfinite(slope[i])) << i;
      }
      EXPECT_TRUE(std::isnan(s[3]) && std::isnan(log_s[3]));
    }
  });
}

}  // namespace
}  // namespace libnf::test
