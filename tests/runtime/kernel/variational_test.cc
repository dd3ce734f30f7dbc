// The arithmetic of planar and radial maps: the bits of the scalar formulas on every SIMD target, for parameters that
// rows share and for those of their own, and no write outside of the spans.
#include "runtime/kernel/planar.h"
#include "runtime/kernel/radial.h"
#include "tests/runtime/kernel/matrices.h"

namespace libnf::test {
namespace {

template <class T>
class VariationalKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(VariationalKernel, Types);

// Spans of n numbers, some of which are 0 or too small to divide by.
template <class T>
struct Spans {
  explicit Spans(int64_t count) : n(count) {}
  // Positive numbers, with zeros every `zeros` elements.
  std::vector<T> make(size_t seed, size_t zeros = 0, T sign = 1) const {
    std::vector<T> v(static_cast<size_t>(n) + 1);
    for (size_t i = 0; i < v.size(); ++i) v[i] = sign * static_cast<T>((i * 7919 + seed * 104729) % 1000 + 1) / 150;
    for (size_t i = 0; zeros && i < v.size(); i += zeros) v[i] = i % 2 ? std::numeric_limits<T>::denorm_min() : T(0);
    return v;
  }
  int64_t n;
};

// What stands behind the end of the spans must stay.
template <class T>
void expect_equal(const std::vector<T>& got, std::vector<T> want, const std::vector<T>& before) {
  want.back() = before.back();
  EXPECT_EQ(got, want) << want.size() - 1;
}

TYPED_TEST(VariationalKernel, Radial) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    for (int64_t n = 0; n <= 40; ++n)
      for (const int step : {0, 1})
        for (const bool inverse : {false, true}) {
          const Spans<T> spans(n);
          const std::vector<T> alpha = spans.make(1), b = spans.make(2), length = spans.make(3, 5), old = spans.make(4);
          std::vector<T> r = length, s = old, q = old, factor = old;
          kernel::radial<T>(inverse, alpha.data(), b.data(), step, r.data(), s.data(), q.data(), factor.data(), n);
          std::vector<T> want[] = {r, s, q, factor};
          for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
            const size_t k = step ? i : 0;
            T& x = want[0][i] = length[i];
            if (inverse) {
              const T c = x - b[k], root = std::sqrt(rounded(c * c) + rounded(4 * x * alpha[k]));
              x = c >= 0 ? (c + root) / 2 : rounded(2 * x * alpha[k]) / (root - c);
            }
            const T h = 1 / (x + alpha[k]), far = rounded((x * h) * rounded(rounded(x + 2 * alpha[k]) * h));
            want[1][i] = (x + b[k]) * h;
            want[2][i] = far + rounded(rounded(alpha[k] * h) * rounded(b[k] * h));
            want[3][i] = inverse ? (x + alpha[k]) / (x + b[k]) : want[1][i];
          }
          expect_equal(r, want[0], length);
          expect_equal(s, want[1], old);
          expect_equal(q, want[2], old);
          expect_equal(factor, want[3], old);
        }
  });
}

TYPED_TEST(VariationalKernel, RadialGrad) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    for (int64_t n = 0; n <= 40; ++n)
      for (const int mode : {0, 1, 2, 3, 4, 5, 6, 7}) {
        const bool inverse = mode & 1, has_gl = mode & 2;
        const int step = mode >> 2;
        const T others = n % 3 ? T(2) : T(0);
        const Spans<T> spans(n);
        const std::vector<T> a = spans.make(1), b = spans.make(2), r = spans.make(3), s = spans.make(4),
                             q = spans.make(5), length = spans.make(6, 5), dot = spans.make(7, 0, -1),
                             gl = spans.make(8), old = spans.make(9);
        std::vector<T> out[4] = {old, old, old, old}, want[4] = {old, old, old, old};
        kernel::radial_grad<T>(
            inverse, others,
            {a.data(), b.data(), step, r.data(), s.data(), q.data(), length.data(), dot.data(),
             has_gl ? gl.data() : nullptr, out[0].data(), out[1].data(), out[2].data(), out[3].data()},
            n);
        for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
          const size_t k = step ? i : 0;
          const T h = 1 / (r[i] + a[k]), hq = h / q[i], away = others > 0 ? others / (r[i] + b[k]) : T(0);
          const T s_r = rounded(rounded(a[k] - b[k]) * h) * h, s_a = -s[i] * h;
          const T l_r = rounded(rounded(away - rounded(others * h)) + rounded(2 * hq)) - rounded(2 * h);
          const T l_a =
              rounded(rounded(rounded(rounded(2 * r[i]) + b[k]) * h) * hq) - rounded(2 * h) - rounded(others * h);
          const T l_b = away + rounded(rounded(a[k] * h) * hq);
          const T gld = !has_gl ? T(0) : inverse ? -gl[i] : gl[i];
          const T gs = inverse ? -dot[i] / rounded(s[i] * s[i]) : dot[i];
          T gr = rounded(gs * s_r) + rounded(gld * l_r);
          want[0][i] = rounded(gs * s_a) + rounded(gld * l_a);
          want[1][i] = rounded(gs * h) + rounded(gld * l_b);
          if (inverse) {
            gr /= q[i];
            want[0][i] -= rounded(rounded(gr * r[i]) * s_a);
            want[1][i] -= rounded(rounded(gr * r[i]) * h);
          }
          want[2][i] = inverse ? 1 / s[i] : s[i];
          want[3][i] = length[i] == 0 ? T(0) : gr / length[i];
        }
        for (size_t i = 0; i < 4; ++i) expect_equal(out[i], want[i], old);
      }
  });
}

TYPED_TEST(VariationalKernel, Planar) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    for (int64_t n = 0; n <= 40; ++n) {
      const Spans<T> spans(n);
      const std::vector<T> q = spans.make(1, 5), a = spans.make(2), b = spans.make(3), c = spans.make(4, 0, -1),
                           old = spans.make(5), old2 = spans.make(6);
      const auto none = [&](size_t i) { return q[i] < std::numeric_limits<T>::min(); };
      const auto each = [&](std::vector<T>& x, std::vector<T>& y, const auto& f) {
        for (size_t i = 0; i < static_cast<size_t>(n); ++i) f(i, x[i], y[i]);
      };
      std::vector<T> x, y, wx, wy;
      for (const T least : {T(0), T(0.25)}) {
        x = wx = old, y = wy = old2;
        for (std::vector<T>* m : {&x, &wx})
          for (size_t i = 0; i < static_cast<size_t>(n); ++i) (*m)[i] = std::abs((*m)[i]);  // as softplus gives it
        kernel::planar_constrain<T>(q.data(), least, x.data(), y.data(), n);
        each(wx, wy, [&](size_t i, T& m, T& k) {
          k = none(i) ? T(0) : (k + (m < least ? least - m : 0) - 1) / q[i];
          m = none(i) ? T(1) : std::max(m, least);
        });
        expect_equal(x, wx, old);
        expect_equal(y, wy, old2);

        const std::vector<T> m = x;
        kernel::planar_constrain_grad<T>(q.data(), m.data(), least, a.data(), b.data(), c.data(), x.data(), y.data(),
                                         n);
        each(wx, wy, [&](size_t i, T& gk, T& gs) {
          gk = none(i) ? T(0) : gk / q[i];
          gs = none(i) ? T(0) : m[i] <= least ? -gk : rounded(a[i] * b[i]) - rounded(gk * c[i]);
        });
        expect_equal(x, wx, old);
        expect_equal(y, wy, old2);
      }

      kernel::planar_direction_grad<T>(a.data(), b.data(), c.data(), q.data(), old.data(), x.data(), y.data(), n);
      each(wx, wy, [&](size_t i, T& gu, T& gw) {
        const T both = rounded(a[i] * gu) + rounded(b[i] * q[i]);
        gw += rounded(both - rounded(rounded(2 * rounded(a[i] * old[i])) * c[i]));
        gu += rounded(b[i] * old[i]);
      });
      expect_equal(x, wx, old);
      expect_equal(y, wy, old2);
    }
  });
}

TYPED_TEST(VariationalKernel, PlanarGrad) {
  using T = TypeParam;
  on_every_target([](int64_t) {
    for (int64_t n = 0; n <= 40; ++n)
      for (const int mode : {0, 1, 2, 3}) {
        const T sign = mode & 1 ? T(-1) : T(1);
        const Spans<T> spans(n);
        const std::vector<T> gl = spans.make(1), dh = spans.make(2), det = spans.make(3), dl = spans.make(4),
                             h0 = spans.make(5, 0, -1), old = spans.make(6);
        const T* given = mode & 2 ? gl.data() : nullptr;
        std::vector<T> ga = old, dm = old, h = old, want[3] = {old, old, old};
        kernel::planar_grad<T>(sign, given, dh.data(), det.data(), dl.data(), h0.data(), ga.data(), dm.data(), h.data(),
                               n);
        for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
          const T gld = given ? sign * gl[i] : T(0);
          want[0][i] = rounded(rounded(sign * dh[i]) * old[i]) + rounded(gld * dl[i]);
          want[1][i] = old[i] * gld;
          want[2][i] = sign * h0[i];
          if (sign > 0) continue;
          want[0][i] /= det[i];
          want[1][i] = rounded(want[1][i]) + rounded(want[0][i] * want[2][i]);
        }
        expect_equal(ga, want[0], old);
        expect_equal(dm, want[1], old);
        expect_equal(h, want[2], old);
      }
  });
}

}  // namespace
}  // namespace libnf::test
