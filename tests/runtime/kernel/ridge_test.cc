// Ridge functions against the C library in long double: accurate to a few ULP even where naive formulas cancel (m near
// 0, |a| large), and the same bits whatever the number of elements.
#include "runtime/kernel/ridge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/runtime/kernel/every_target.h"

namespace libnf::test {
namespace {

using kernel::Ridge;
using Real = long double;

struct Reference {
  Real h, dh, gap, bend;  // h, h', 1 - h', h''
};
Reference reference(Ridge f, Real a, Real slope) {
  if (f == Ridge::tanh) {
    const Real c = 1 / std::cosh(a), t = std::tanh(a);
    return {t, c * c, t * t, -2 * t * c * c};
  }
  if (a >= 0) return {a, 1, 0, 0};
  if (f == Ridge::elu) return {std::expm1(a), std::exp(a), -std::expm1(a), std::exp(a)};
  return {slope * a, slope, 1 - slope, 0};
}

template <class T>
class RidgeTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RidgeTest, Types);

TYPED_TEST(RidgeTest, AgreesWithLongDouble) {
  using T = TypeParam;
  const Real eps = std::numeric_limits<T>::epsilon();
  const T slope = T(0.125);
  std::vector<T> a, m;
  for (double x : {0.0, 1e-8, 1e-3, 0.1, 0.5, 1.0, 3.0, 8.0, 17.0, 30.0})
    for (double c : {1e-12, 1e-3, 0.5, 1.0, 2.0, 1e4})
      for (double sign : {-1.0, 1.0}) {
        a.push_back(static_cast<T>(sign * x));
        m.push_back(static_cast<T>(c));
      }
  const auto n = static_cast<int64_t>(a.size());
  const auto room = [&] { return std::vector<T>(a.size()); };
  on_every_target([&](int64_t) {
    for (const Ridge f : {Ridge::tanh, Ridge::leaky_relu, Ridge::elu}) {
      std::vector<T> h = room(), l = room(), y = room(), det = room(), dh = room(), det2 = room(), dl = room(),
                     dm = room();
      kernel::ridge(f, slope, a.data(), m.data(), 1, h.data(), l.data(), n);
      kernel::ridge_equation(f, slope, a.data(), m.data(), 1, y.data(), det.data(), n);
      kernel::ridge_slopes(f, slope, a.data(), m.data(), 1, dh.data(), det2.data(), dl.data(), dm.data(), n);
      EXPECT_EQ(det, det2);
      for (size_t i = 0; i < a.size(); ++i) {
        const Reference r = reference(f, a[i], slope);
        const Real d = r.gap + r.dh * m[i];
        const auto close = [&](T got, Real want, Real scale, const char* what) {
          EXPECT_LE(std::abs(got - want), 8 * eps * scale)
              << what << " at " << a[i] << ", m " << m[i] << ": " << got << ", not " << static_cast<double>(want);
        };
        close(h[i], r.h, std::abs(r.h), "h");
        close(dh[i], r.dh, std::abs(r.dh), "h'");
        close(det[i], d, d, "det");
        close(l[i], std::log(d), std::max(Real(1), std::abs(std::log(d))), "log det");
        close(y[i], a[i] + (m[i] - Real(1)) * r.h, std::abs(a[i]) + std::abs(m[i] * r.h), "a + c h");
        close(dm[i], r.dh / d, r.dh / d, "by m");
        close(dl[i], (m[i] - Real(1)) * r.bend / d, std::abs(r.bend) * (1 + m[i]) / d, "by a");
      }
      std::vector<T> one(1), one_l(1);
      for (size_t i = 0; i < a.size(); ++i) {
        kernel::ridge(f, slope, &a[i], &m[i], 0, one.data(), one_l.data(), 1);
        EXPECT_TRUE(one[0] == h[i] && one_l[0] == l[i]) << i;
      }
    }
  });
}

}  // namespace
}  // namespace libnf::test
