// Every bijection x every SIMD target x float32 and float64: value and log slope against long double within the stated
// errors, limits at the ends of the range, NaN outside, and that the bits of an element depend only on its value.
#include "runtime/kernel/bijection.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "tests/runtime/kernel/every_target.h"

namespace libnf::test {
namespace {

using kernel::Bijection;
using Real = long double;

struct Exact {
  Real y, l;
};

// Reference, computed from the constants as rounded to T, and for sigmoid from the rounded product a x.
template <class T>
Exact exact(Bijection f, T a, T b, T w, T log_slope, T at) {
  const Real x = at, log2 = std::log(Real(2));
  const auto softplus = [](Real v) { return std::fmax(v, Real(0)) + std::log1p(std::exp(-std::fabs(v))); };
  switch (f) {
    case Bijection::leaky_relu:
      return {x < 0 ? a * x : x, x < 0 ? Real(log_slope) : 0};
    case Bijection::sigmoid: {
      const Real u = static_cast<T>(a * at);
      const Real s = u > 0 ? 1 / (1 + std::exp(-u)) : std::exp(u) / (1 + std::exp(u));
      return {(s - b) / w, log_slope - softplus(u) - softplus(-u)};
    }
    case Bijection::logit: {
      const Real p = b + w * x, q = b + w * (1 - x);
      return {(std::log(p) - std::log(q)) / a, -log_slope - std::log(p) - std::log(q)};
    }
    case Bijection::tanh:
      return {std::tanh(x), 2 * (log2 - std::fabs(x) - std::log1p(std::exp(-2 * std::fabs(x))))};
    case Bijection::atanh:
      return {std::atanh(x), -std::log1p(x) - std::log1p(-x)};
    case Bijection::softplus:
      return {softplus(x), -softplus(-x)};
    case Bijection::inverse_softplus: {
      const Real gap = std::log(-std::expm1(-x));
      return {x + gap, -gap};
    }
    case Bijection::exp:
      return {std::exp(x), x};
    case Bijection::log:
      return {std::log(x), -std::log(x)};
    case Bijection::cbrt:
      return {std::cbrt(x), -std::log(Real(3)) - 2 * std::log(std::fabs(x)) / 3};
    case Bijection::cube:
      return {x * x * x, std::log(Real(3)) + 2 * std::log(std::fabs(x))};
    case Bijection::softclip:
      return {x / (1 + std::fabs(x) / a), -2 * std::log1p(std::fabs(x) / a)};
    case Bijection::inverse_softclip:
      return {x * a / (a - std::fabs(x)), -2 * std::log((a - std::fabs(x)) / a)};
  }
  return {};
}

struct Case {
  const char* name;
  Bijection f;
  double a, b;
  double low, high;  // range of x; the ends themselves have infinite limits
  double least;      // errors are in ulp(max(|y|, least)), for functions that are 0 at an x other than 0
};
constexpr double kInf = std::numeric_limits<double>::infinity();
const Case kCases[] = {
    {"leaky_relu", Bijection::leaky_relu, 0.2, 0, -kInf, kInf, 0},
    {"sigmoid", Bijection::sigmoid, 1, 0, -kInf, kInf, 0},
    {"sigmoid_scaled", Bijection::sigmoid, 1.7, 0.01, -kInf, kInf, 1},
    {"logit", Bijection::logit, 1, 0, 0, 1, 1},
    {"logit_scaled", Bijection::logit, 1.7, 1e-5, 0, 1, 1},
    {"tanh", Bijection::tanh, 1, 0, -kInf, kInf, 0},
    {"atanh", Bijection::atanh, 1, 0, -1, 1, 0},
    {"softplus", Bijection::softplus, 1, 0, -kInf, kInf, 0},
    {"inverse_softplus", Bijection::inverse_softplus, 1, 0, 0, kInf, 1},
    {"exp", Bijection::exp, 1, 0, -kInf, kInf, 0},
    {"log", Bijection::log, 1, 0, 0, kInf, 0},
    {"cbrt", Bijection::cbrt, 1, 0, -kInf, kInf, 0},
    {"cube", Bijection::cube, 1, 0, -kInf, kInf, 0},
    {"softclip", Bijection::softclip, 0.7, 0, -kInf, kInf, 0},
    {"inverse_softclip", Bijection::inverse_softclip, 2.5, 0, -2.5, 2.5, 0},
};

// Returns points inside the range, dense near its ends.
template <class T>
std::vector<T> points(const Case& c) {
  std::mt19937_64 engine(3);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<T> x;
  const double low = std::isinf(c.low) ? -40 : c.low, high = std::isinf(c.high) ? 40 : c.high;
  for (int i = 0; i < 3000; ++i) {
    const double u = unit(engine), tiny = std::pow(10, -30 * u);
    x.push_back(static_cast<T>(low + (high - low) * u));
    x.push_back(static_cast<T>((u - 0.5) * 6));
    x.push_back(static_cast<T>(c.low == 0 || i % 2 ? tiny : -tiny));
    if (std::isfinite(c.low)) x.push_back(static_cast<T>(low + tiny));
    if (std::isfinite(c.high)) x.push_back(static_cast<T>(high - std::pow(10, -8 * u)));
  }
  std::erase_if(x, [&](T v) { return !(v > c.low && v < c.high); });
  return x;
}

double ulp(Real size, int digits, int min_exponent) {
  const int exponent = size > 0 ? std::max(std::ilogb(size) + 1, min_exponent) : min_exponent;
  return static_cast<double>(std::ldexp(Real(1), exponent - digits));
}

template <class T>
class BijectionKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BijectionKernel, Types);

TYPED_TEST(BijectionKernel, IsWithinTheStatedErrors) {
  using T = TypeParam;
  using L = std::numeric_limits<T>;
  for (const Case& c : kCases) {
    const std::vector<T> x = points<T>(c);
    ASSERT_GT(x.size(), 3000u);
    std::vector<T> y(x.size()), l(x.size());
    const T a = static_cast<T>(c.a), b = static_cast<T>(c.b), w = static_cast<T>(1 - 2 * c.b),
            log_slope = static_cast<T>(std::log(c.a / (1 - 2 * c.b)));
    on_every_target([&](int64_t) {
      SCOPED_TRACE(c.name);
      kernel::bijection<T>(c.f, c.a, c.b, x.data(), y.data(), l.data(), static_cast<int64_t>(x.size()));
      double worst_y = 0, worst_l = 0;
      T where_y = 0, where_l = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const Exact e = exact<T>(c.f, a, b, w, log_slope, x[i]);
        const Real size = std::fmax(std::fabs(e.y), Real(c.least));
        const double ey = static_cast<double>(std::fabs(y[i] - e.y)) / ulp(size, L::digits, L::min_exponent);
        const double el =
            static_cast<double>(std::fabs(l[i] - e.l)) / ulp(std::fmax(std::fabs(e.l), Real(1)), L::digits, 0);
        if (!(ey <= worst_y)) worst_y = ey, where_y = x[i];
        if (!(el <= worst_l)) worst_l = el, where_l = x[i];
      }
      EXPECT_LE(worst_y, 4) << "y at " << where_y;
      EXPECT_LE(worst_l, 4) << "log slope at " << where_l;
    });
  }
}

TYPED_TEST(BijectionKernel, EndsAndOutside) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const auto at = [](Bijection f, T x, double b = 0) {
    T y, l;
    kernel::bijection<T>(f, 1, b, &x, &y, &l, 1);
    return std::pair<T, T>(y, l);
  };
  const auto pair = [](T y, T l) { return std::pair<T, T>(y, l); };
  on_every_target([&](int64_t) {
    EXPECT_EQ(at(Bijection::logit, 0), pair(-inf, inf));
    EXPECT_EQ(at(Bijection::logit, 1), pair(inf, inf));
    EXPECT_EQ(at(Bijection::atanh, -1), pair(-inf, inf));
    EXPECT_EQ(at(Bijection::inverse_softplus, 0), pair(-inf, inf));
    EXPECT_EQ(at(Bijection::inverse_softplus, inf), pair(inf, 0));
    EXPECT_EQ(at(Bijection::log, 0), pair(-inf, inf));
    EXPECT_EQ(at(Bijection::sigmoid, inf), pair(1, -inf));
    EXPECT_EQ(at(Bijection::tanh, -inf), pair(-1, -inf));
    EXPECT_EQ(at(Bijection::softplus, -inf), pair(0, -inf));
    EXPECT_EQ(at(Bijection::softplus, inf), pair(inf, 0));
    // The slope at 0 is that of the smallest number, and the cube undoes it.
    const T smallest = std::numeric_limits<T>::denorm_min();
    const double steep = -std::log(3) - 2.0 / 3 * std::log(static_cast<double>(smallest));
    EXPECT_EQ(at(Bijection::cbrt, 0).first, 0);
    EXPECT_NEAR(at(Bijection::cbrt, 0).second, steep, 4e-7 * steep);
    EXPECT_GE(at(Bijection::cbrt, 0).second, at(Bijection::cbrt, smallest).second);
    EXPECT_TRUE(std::signbit(at(Bijection::cbrt, T(-0.0)).first));
    EXPECT_EQ(at(Bijection::cbrt, -inf), pair(-inf, -inf));
    EXPECT_EQ(at(Bijection::cube, 0).first, 0);
    EXPECT_NEAR(at(Bijection::cube, 0).second, -steep, 4e-7 * steep);
    EXPECT_EQ(at(Bijection::cube, -inf), pair(-inf, inf));
    EXPECT_EQ(at(Bijection::softclip, inf), pair(1, -inf));
    EXPECT_EQ(at(Bijection::softclip, -std::numeric_limits<T>::max()).first, -1);
    EXPECT_EQ(at(Bijection::inverse_softclip, 1), pair(inf, inf));
    EXPECT_EQ(at(Bijection::inverse_softclip, -1), pair(-inf, inf));
    const std::pair<Bijection, T> outside[] = {
        {Bijection::logit, T(-1e-3)},        {Bijection::logit, T(1.001)}, {Bijection::atanh, T(1.001)},
        {Bijection::atanh, T(-1.001)},       {Bijection::log, T(-1e-3)},   {Bijection::inverse_softplus, T(-1e-3)},
        {Bijection::inverse_softplus, -inf}, {Bijection::logit, inf},      {Bijection::inverse_softclip, T(1.001)},
        {Bijection::inverse_softclip, -inf},
    };
    for (const auto& [f, x] : outside) EXPECT_TRUE(std::isnan(at(f, x).first)) << static_cast<int>(f) << " at " << x;
    for (const Case& c : kCases) EXPECT_TRUE(std::isnan(at(c.f, nan).first)) << c.name;
    EXPECT_TRUE(std::isfinite(at(Bijection::logit, 0, 1e-5).first) &&
                std::isfinite(at(Bijection::logit, 1, 1e-5).first));
  });
}

// Compares the gradients of y and of log_dy, each alone, with slopes between neighboring points; an infinite slope
// times a missing gradient must not give NaN.
TYPED_TEST(BijectionKernel, GradientsAndIndependence) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const std::vector<T> x = points<T>(c);
    const auto n = static_cast<int64_t>(x.size());
    std::vector<T> y(x.size()), l(x.size()), one(x.size(), T(1)), gy(x.size(), T(0)), gl(x.size(), T(0));
    kernel::bijection<T>(c.f, c.a, c.b, x.data(), y.data(), l.data(), n);
    kernel::bijection_grad<T>(c.f, c.a, c.b, x.data(), y.data(), one.data(), nullptr, gy.data(), n);
    kernel::bijection_grad<T>(c.f, c.a, c.b, x.data(), y.data(), nullptr, one.data(), gl.data(), n);
    for (size_t i = 0; i < x.size(); ++i) {
      // dy/dx is e^l; in the tails the exponential amplifies the rounding of l.
      const double want = std::exp(static_cast<double>(l[i]));
      if (!(want > 1e-30 && want < 1e30)) continue;
      const double rounding = std::numeric_limits<T>::epsilon() * std::max(1.0, std::abs(static_cast<double>(l[i])));
      ASSERT_NEAR(gy[i] / want, 1, 20 * rounding) << x[i];
    }
    for (const int64_t first : {0, 1, 2, 3, 5, 7, 13}) {
      for (const int64_t m : {1, 2, 3, 4, 7, 8, 15, 16, 17}) {
        T yy[17], ll[17], gg[17] = {};
        kernel::bijection<T>(c.f, c.a, c.b, x.data() + first, yy, ll, m);
        ASSERT_EQ(std::memcmp(yy, y.data() + first, static_cast<size_t>(m) * sizeof(T)), 0);
        ASSERT_EQ(std::memcmp(ll, l.data() + first, static_cast<size_t>(m) * sizeof(T)), 0);
        kernel::bijection_grad<T>(c.f, c.a, c.b, x.data() + first, yy, nullptr, one.data(), gg, m);
        ASSERT_EQ(std::memcmp(gg, gl.data() + first, static_cast<size_t>(m) * sizeof(T)), 0);
      }
    }
  }
  const T zero = 0, one = 1, y = -std::numeric_limits<T>::infinity();
  T g = 0;
  kernel::bijection_grad<T>(Bijection::log, 1, 0, &zero, &y, &one, nullptr, &g, 1);
  EXPECT_EQ(g, std::numeric_limits<T>::infinity());
}

}  // namespace
}  // namespace libnf::test
