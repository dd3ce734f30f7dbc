// Triangular products and solves, and LU factors, against plain loops in long double, at sizes around the block sizes,
// on every SIMD target. Also checks that the bits of a row do not depend on other rows.
#include "runtime/kernel/triangular.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "runtime/kernel/gemm.h"
#include "runtime/kernel/lu.h"
#include "tests/runtime/kernel/every_target.h"

namespace libnf::test {
namespace {

using Real = long double;
const int64_t kSizes[] = {1, 2, 3, 16, 31, 32, 33, 64, 65, 100, 200};

template <class T>
std::vector<T> draw(int64_t n, uint64_t seed, double scale = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> v(static_cast<size_t>(n));
  for (T& e : v) e = static_cast<T>(scale * normal(random));
  return v;
}

// Returns a well-conditioned triangular matrix [n, n], with `other` in the other triangle.
template <class T>
std::vector<T> triangle(bool upper, int64_t n, T other, uint64_t seed) {
  std::vector<T> b = draw<T>(n * n, seed, 1 / std::sqrt(static_cast<double>(n)));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      T& e = b[static_cast<size_t>(i * n + j)];
      if (i == j) e = static_cast<T>(1.5 + e);
      if (upper ? j < i : j > i) e = other;
    }
  return b;
}

// Returns the largest |x - y B|, relative to the sum of the absolute values of its terms.
template <class T>
double residual(const std::vector<T>& x, const std::vector<T>& y, int64_t rows, int64_t n,
                const std::function<Real(int64_t, int64_t)>& b) {
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < n; ++j) {
      const Real want = x[static_cast<size_t>(r * n + j)];
      Real sum = 0, size = std::fabs(want);
      for (int64_t i = 0; i < n; ++i) {
        const Real v = y[static_cast<size_t>(r * n + i)] * b(i, j);
        sum += v;
        size += std::fabs(v);
      }
      const auto error = static_cast<double>(std::fabs(sum - want) / size);
      if (!(error <= worst)) worst = error;
    }
  return worst;
}

template <class T>
class TriangularKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(TriangularKernel, Types);

TYPED_TEST(TriangularKernel, ProductsAndSolves) {
  using T = TypeParam;
  constexpr int64_t rows = 13;
  const double eps = std::numeric_limits<T>::epsilon();
  on_every_target([&](int64_t) {
    for (const int64_t n : kSizes)
      for (const bool upper : {false, true}) {
        SCOPED_TRACE(n);
        const auto x = draw<T>(rows * n, 1);
        std::vector<T> y(x.size());
        const auto b = triangle<T>(upper, n, 0, 2);
        const auto at = [&](int64_t i, int64_t j) { return Real(b[static_cast<size_t>(i * n + j)]); };
        kernel::triangular_multiply<T>(upper, rows, n, x.data(), n, b.data(), n, y.data(), n);
        EXPECT_LE(residual<T>(y, x, rows, n, at), 4 * eps * static_cast<double>(n));
        // A solve does not read the other triangle, nor a unit diagonal.
        const auto dirty = triangle<T>(upper, n, std::numeric_limits<T>::quiet_NaN(), 2);
        kernel::triangular_solve<T>({upper, false}, rows, n, x.data(), n, dirty.data(), n, y.data(), n);
        EXPECT_LE(residual<T>(x, y, rows, n, at), 2 * eps * static_cast<double>(n));
        auto unit = dirty;
        for (int64_t i = 0; i < n; ++i) unit[static_cast<size_t>(i * n + i)] = std::numeric_limits<T>::quiet_NaN();
        kernel::triangular_solve<T>({upper, true}, rows, n, x.data(), n, unit.data(), n, y.data(), n);
        EXPECT_LE(residual<T>(x, y, rows, n, [&](int64_t i, int64_t j) { return i == j ? Real(1) : at(i, j); }),
                  2 * eps * static_cast<double>(n));
        // A row alone gives the same bits.
        std::vector<T> one(static_cast<size_t>(n));
        kernel::triangular_solve<T>({upper, true}, 1, n, x.data() + 5 * n, n, unit.data(), n, one.data(), n);
        EXPECT_EQ(std::memcmp(one.data(), y.data() + 5 * n, one.size() * sizeof(T)), 0);
        // The gradient of B, compared only in its triangle.
        std::vector<T> g(b.size());
        kernel::triangular_outer<T>(upper, rows, n, x.data(), n, y.data(), n, g.data(), n);
        for (int64_t i = 0; i < n; ++i)
          for (int64_t j = upper ? i : 0; j < (upper ? n : i + 1); ++j) {
            Real sum = 0, size = 0;
            for (int64_t r = 0; r < rows; ++r) {
              const Real v = Real(x[static_cast<size_t>(r * n + i)]) * y[static_cast<size_t>(r * n + j)];
              sum += v;
              size += std::fabs(v);
            }
            ASSERT_LE(std::fabs(sum - g[static_cast<size_t>(i * n + j)]), 13 * eps * size) << i << " " << j;
          }
      }
  });
}

TEST(LuKernel, FactorsSolveBothWays) {
  constexpr int64_t rows = 9;
  on_every_target([&](int64_t) {
    for (const int64_t n : kSizes) {
      SCOPED_TRACE(n);
      const auto a = draw<double>(n * n, static_cast<uint64_t>(n));
      auto lu = a;
      std::vector<int32_t> pivot(static_cast<size_t>(n));
      std::vector<double> scratch(static_cast<size_t>(std::max(kernel::lu_scratch(n), rows * n)));
      kernel::lu_factor(n, lu.data(), pivot.data(), scratch.data());
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < i; ++j) ASSERT_LE(std::abs(lu[static_cast<size_t>(i * n + j)]), 1) << "no pivoting";
      const auto x = draw<double>(rows * n, 5);
      std::vector<double> y(x.size()), lu_t(lu.size());
      kernel::lu_solve_rows(n, lu.data(), pivot.data(), rows, x.data(), y.data(), scratch.data());
      // Backward stable: the residual is small relative to |y| |A|, however large y is.
      EXPECT_LE(
          residual<double>(x, y, rows, n, [&](int64_t i, int64_t j) { return a[static_cast<size_t>(i * n + j)]; }),
          1e-15 * static_cast<double>(n));
      kernel::transpose(n, n, lu.data(), n, lu_t.data(), n);
      kernel::lu_solve_rows_transposed(n, lu_t.data(), pivot.data(), rows, x.data(), y.data(), scratch.data());
      EXPECT_LE(
          residual<double>(x, y, rows, n, [&](int64_t i, int64_t j) { return a[static_cast<size_t>(j * n + i)]; }),
          1e-15 * static_cast<double>(n));
    }
  });
}

TEST(LuKernel, Determinants) {
  // |det| of a diagonal matrix multiplied by an upper shear and a row permutation.
  constexpr int64_t n = 70;
  std::vector<double> a(n * n, 0.0), scratch(static_cast<size_t>(kernel::lu_scratch(n)));
  std::vector<int32_t> pivot(n);
  double want = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t row = (i * 37 + 5) % n;
    for (int64_t j = i; j < n; ++j)
      a[static_cast<size_t>(row * n + j)] = i == j ? 1 + 0.1 * static_cast<double>(i) : 0.3;
    want += std::log(1 + 0.1 * static_cast<double>(i));
  }
  auto lu = a;
  kernel::lu_factor(n, lu.data(), pivot.data(), scratch.data());
  EXPECT_NEAR(kernel::lu_log_abs_det(n, lu.data()), want, 1e-11);
  // A repeated row makes the matrix singular; numbers that are not finite propagate.
  lu = a;
  std::fill(lu.begin(), lu.end(), 1.0);
  kernel::lu_factor(n, lu.data(), pivot.data(), scratch.data());
  EXPECT_EQ(kernel::lu_log_abs_det(n, lu.data()), -std::numeric_limits<double>::infinity());
  for (const double bad : {std::nan(""), HUGE_VAL, 1e308}) {
    lu = a;
    for (size_t k = 0; k < lu.size(); k += 3) lu[k] = bad;
    kernel::lu_factor(n, lu.data(), pivot.data(), scratch.data());
    for (int32_t p : pivot) EXPECT_TRUE(p >= 0 && p < n);
  }
}

}  // namespace
}  // namespace libnf::test
