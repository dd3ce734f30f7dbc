// Every element-wise kernel x every SIMD target x float32 and float64: errors against long double within the stated
// ULP, limits, NaN, and that the bits of an element depend only on its value.
#include "runtime/kernel/unary.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>

#include "tests/runtime/kernel/every_target.h"
#include "tests/runtime/kernel/unary_reference.h"
#include "tests/support/brief.h"
#include "tests/support/long_double.h"

namespace libnf::test {
namespace {

using kernel::Unary;

// Returns normal, uniform and log-uniform points, and the values where functions change their branch.
template <class T>
std::vector<T> points() {
  using L = std::numeric_limits<T>;
  std::mt19937_64 engine(7);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<T> x;
  for (int i = 0; i < (test::brief() ? 300 : 3000); ++i) {
    x.push_back(static_cast<T>(normal(engine)));
    x.push_back(static_cast<T>((unit(engine) * 2 - 1) * 40));
    x.push_back(static_cast<T>((unit(engine) * 2 - 1) * 800));
    x.push_back(static_cast<T>(std::pow(10.0, unit(engine) * 60 - 30) * (i % 2 ? 1 : -1)));
    x.push_back(static_cast<T>(std::pow(10.0, unit(engine) * 6 - 3) * (i % 2 ? 1 : -1)));
  }
  for (const double v :
       {0.0,   0.3465, 0.41421356, 0.5,    0.7,    0.70710678, 1.0,   1.41421356, 2.0,   2.41421356, 3.0,
        8.0,   20.0,   40.0,       87.3,   88.72,  103.9,      104.0, 105.5,      120.0, 708.4,      709.78,
        745.1, 746.0,  800.0,      5999.0, 6001.0, 1e6,        1.1e6, 1e18,       1e30,  1e38}) {
    for (const T s : {T{-1}, T{1}}) {
      x.push_back(s * static_cast<T>(v));
      x.push_back(s * std::nextafter(static_cast<T>(v), L::max()));
      x.push_back(s * std::nextafter(static_cast<T>(v), T{0}));
    }
  }
  for (const T s : {T{-1}, T{1}}) {
    for (const T v : {L::denorm_min(), L::min() / 3, L::min(), L::epsilon(), L::max(), L::infinity()})
      x.push_back(s * v);
  }
  x.push_back(L::quiet_NaN());
  return x;
}

// Returns |got - exact| in ulp(max(|exact|, floor)); an overflow counts as the value one binade higher.
template <class T>
double ulp_error(T got, Real exact, double floor, Real tiny) {
  using L = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) == std::isnan(got) ? 0 : HUGE_VAL;
  const Real beyond = std::ldexp(1.0L, L::max_exponent);
  const auto bounded = [&](Real v) { return std::fmin(std::fmax(v, -beyond), beyond); };
  const Real least = std::fmax(static_cast<Real>(floor), tiny * static_cast<Real>(L::min()));
  const Real scale = std::fmax(std::fmin(std::fabs(exact), static_cast<Real>(L::max())), least);
  const int exponent = scale == 0 ? L::min_exponent : std::max(std::ilogb(scale) + 1, L::min_exponent);
  return static_cast<double>(std::fabs(bounded(got) - bounded(exact)) / std::ldexp(1.0L, exponent - L::digits));
}

struct Worst {
  double error = 0;
  Real x = 0, got = 0, exact = 0;
  template <class T>
  void see(T at, T value, Real reference, double floor, Real tiny) {
    const double e = ulp_error(value, reference, floor, tiny);
    if (!(e <= error)) error = e, x = at, got = value, exact = reference;
  }
};
std::ostream& operator<<(std::ostream& out, const Worst& w) {
  return out << w.error << " ulp at x = " << w.x << ": got " << w.got << ", exact " << w.exact;
}

template <class T>
class UnaryKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(UnaryKernel, Types);

TYPED_TEST(UnaryKernel, StaysWithinTheStatedError) {
  NEED_LONG_DOUBLE();
  using T = TypeParam;
  const std::vector<T> x = points<T>();
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<T> y(x.size()), d1(x.size()), d2(x.size());
  on_every_target([&](int64_t) {
    for (const UnaryCase& c : unary_cases()) {
      SCOPED_TRACE(kernel::name_of(c.f));
      const T a = static_cast<T>(c.a);
      const bool from_y = kernel::grad_from_output(c.f);
      kernel::unary(c.f, a, x.data(), y.data(), n);
      kernel::unary_deriv(c.f, a, from_y ? nullptr : x.data(), from_y ? y.data() : nullptr, d1.data(), n);
      kernel::unary_deriv2(c.f, a, x.data(), d2.data(), n);
      Worst value, first, second;
      for (size_t i = 0; i < x.size(); ++i) {
        const Real exact = c.value(x[i], c.a);
        if (std::isnan(x[i])) {
          EXPECT_TRUE(std::isnan(y[i]));
          EXPECT_TRUE(std::isnan(d1[i]));
          EXPECT_TRUE(std::isnan(d2[i]));
          continue;
        }
        value.see(x[i], y[i], exact, c.floor, c.damped ? kDampedTiny : 0);
        if (std::isnan(exact)) continue;  // out of the domain
        // A derivative computed from y uses the rounded y, so f' inherits the rounding of a denormal or infinite y.
        const bool lost = from_y && (std::fabs(y[i]) < std::numeric_limits<T>::min() || std::isinf(y[i]));
        if (!lost) first.see(x[i], d1[i], c.deriv(x[i], c.a), c.deriv_floor, kDampedTiny);
        if (std::isfinite(exact)) second.see(x[i], d2[i], c.deriv2(x[i], c.a), c.deriv_floor, kDampedTiny);
      }
      EXPECT_LE(value.error, sizeof(T) == 4 ? c.ulp32 : c.ulp64) << "f: " << value;
      EXPECT_LE(first.error, kDerivUlp) << "f': " << first;
      EXPECT_LE(second.error, kDerivUlp) << "f'': " << second;
    }
  });
}

// Runs on [offset, offset + n) of a longer span, with canaries around the output.
template <class T, class Run>
void expect_same_bits_anywhere(const std::vector<T>& whole, const Run& run) {
  constexpr T kCanary = T{-12345};
  for (int64_t n = 0; n <= 70; ++n) {
    for (const int64_t offset : {int64_t{0}, int64_t{1}, int64_t{3}, n % 17}) {
      std::vector<T> out(static_cast<size_t>(n) + 2 * 64, kCanary);
      const size_t start = 61;  // misaligned for every vector
      run(offset, out.data() + start, n);
      ASSERT_EQ(0, std::memcmp(out.data() + start, whole.data() + offset, static_cast<size_t>(n) * sizeof(T)))
          << "n = " << n << ", offset = " << offset;
      for (size_t i = 0; i < out.size(); ++i) {
        if (i >= start && i < start + static_cast<size_t>(n)) continue;
        ASSERT_EQ(kCanary, out[i]) << "n = " << n << ", i = " << i;
      }
    }
  }
}

TYPED_TEST(UnaryKernel, BitsDependOnTheValueOnly) {
  using T = TypeParam;
  std::vector<T> x = points<T>();
  std::shuffle(x.begin(), x.end(), std::mt19937_64(3));
  x.resize(160);
  x[5] = std::numeric_limits<T>::infinity(), x[66] = static_cast<T>(1e20);
  const int64_t total = static_cast<int64_t>(x.size());
  on_every_target([&](int64_t) {
    for (const UnaryCase& c : unary_cases()) {
      SCOPED_TRACE(kernel::name_of(c.f));
      const T a = static_cast<T>(c.a);
      std::vector<T> y(x.size()), d1(x.size()), d2(x.size());
      kernel::unary(c.f, a, x.data(), y.data(), total);
      kernel::unary_deriv(c.f, a, x.data(), y.data(), d1.data(), total);
      kernel::unary_deriv2(c.f, a, x.data(), d2.data(), total);
      expect_same_bits_anywhere(y,
                                [&](int64_t at, T* out, int64_t n) { kernel::unary(c.f, a, x.data() + at, out, n); });
      expect_same_bits_anywhere(d1, [&](int64_t at, T* out, int64_t n) {
        kernel::unary_deriv(c.f, a, x.data() + at, y.data() + at, out, n);
      });
      expect_same_bits_anywhere(
          d2, [&](int64_t at, T* out, int64_t n) { kernel::unary_deriv2(c.f, a, x.data() + at, out, n); });
      std::vector<T> in_place = x;
      kernel::unary(c.f, a, in_place.data(), in_place.data(), total);
      EXPECT_EQ(0, std::memcmp(in_place.data(), y.data(), y.size() * sizeof(T)));
    }
  });
}

TYPED_TEST(UnaryKernel, GradientAccumulates) {
  using T = TypeParam;
  const T x[3] = {T{-0.5}, T{0.25}, T{2}}, gy[3] = {T{2}, T{-4}, T{8}};
  on_every_target([&](int64_t) {
    T gx[3] = {T{1}, T{1}, T{1}};
    kernel::unary_grad<T>(Unary::square, 0, x, nullptr, gy, gx, 3);
    EXPECT_EQ(gx[0], T{-1});
    EXPECT_EQ(gx[1], T{-1});
    EXPECT_EQ(gx[2], T{33});
  });
}

TYPED_TEST(UnaryKernel, FreshGradientOverwritesAndMayBeTheCotangent) {
  using T = TypeParam;
  const T x[3] = {T{-0.5}, T{0.25}, T{2}}, gy[3] = {T{2}, T{-4}, T{8}};
  const T nan = std::numeric_limits<T>::quiet_NaN();
  on_every_target([&](int64_t) {
    T gx[3] = {nan, nan, nan}, in_place[3] = {gy[0], gy[1], gy[2]};
    kernel::unary_grad<T>(Unary::square, 0, x, nullptr, gy, gx, 3, true);
    kernel::unary_grad<T>(Unary::square, 0, x, nullptr, in_place, in_place, 3, true);
    for (const T* g : {gx, in_place}) {
      EXPECT_EQ(g[0], T{-2});
      EXPECT_EQ(g[1], T{-2});
      EXPECT_EQ(g[2], T{32});
    }
  });
}

TEST(UnaryList, NamesEveryFunction) {
  EXPECT_STREQ(kernel::name_of(Unary::neg), "neg");
  EXPECT_STREQ(kernel::name_of(Unary::hardtanh), "hardtanh");
  EXPECT_STREQ(kernel::name_of(static_cast<Unary>(kernel::kUnaryCount)), "unknown");
  std::vector<bool> seen(kernel::kUnaryCount);
  for (const UnaryCase& c : unary_cases()) seen[static_cast<size_t>(c.f)] = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0) << "a function has no reference";
}

}  // namespace
}  // namespace libnf::test
