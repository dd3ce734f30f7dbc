// The polar factor: orthonormal whatever the condition, a fixed point of itself, nearest to what it came from; and rows
// that depend on each other.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/kernel/symmetric_eigen.h"
#include "runtime/op/sylvester.h"
#include "tests/support/graph.h"

namespace nf::test {
namespace {

TEST(SymmetricEigen, TakesAMatrixApart) {
  std::mt19937_64 random(1);
  for (const int64_t n : {1, 2, 3, 8, 33}) {
    const auto size = static_cast<size_t>(n * n);
    Values a = draw_normal(n * n, random), v(size), w(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j) a[static_cast<size_t>(i * n + j)] = a[static_cast<size_t>(j * n + i)];
    Values work = a;
    kernel::symmetric_eigen(n, work.data(), v.data(), w.data());
    const double scale = 1e-14 * static_cast<double>(n) * largest(a);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double back = 0, dot = 0;
        for (int64_t k = 0; k < n; ++k) {
          const auto at = static_cast<size_t>(k * n);
          back += v[at + static_cast<size_t>(i)] * w[static_cast<size_t>(k)] * v[at + static_cast<size_t>(j)];
          dot += v[static_cast<size_t>(i * n + k)] * v[static_cast<size_t>(j * n + k)];
        }
        ASSERT_NEAR(back, a[static_cast<size_t>(i * n + j)], scale);
        ASSERT_NEAR(dot, i == j, 1e-13 * static_cast<double>(n));
      }
  }
}

template <class T>
class PolarTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(PolarTest, Types);

TYPED_TEST(PolarTest, RowsAreOrthonormal) {
  constexpr double eps = sizeof(TypeParam) == 8 ? 2e-15 : 1e-6;
  std::mt19937_64 random(2);
  for (const double squeeze : {1.0, 1e-3, 1e-6}) {  // of the second row: a condition of about its inverse
    constexpr int64_t m = 4, d = 7;
    Values a = draw_normal(m * d, random);
    for (int64_t j = 0; j < d; ++j)
      a[static_cast<size_t>(d + j)] = a[static_cast<size_t>(j)] + squeeze * a[static_cast<size_t>(d + j)];
    Graph<TypeParam> g;
    Var q = polar_rows(g.tape, g.leaf(a, {m * d}), m);
    const Values v = g.value(q), again = g.value(polar_rows(g.tape, q, m));
    EXPECT_TRUE(same(again, v, 10 * eps));
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < m; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < d; ++k) dot += v[static_cast<size_t>(i * d + k)] * v[static_cast<size_t>(j * d + k)];
        EXPECT_NEAR(dot, i == j, 5 * eps) << squeeze;
      }
  }
}

TYPED_TEST(PolarTest, RowsThatDependOnEachOtherHaveNone) {
  Graph<TypeParam> g;
  const Values q = g.value(polar_rows(g.tape, g.leaf({1, 2, 3, 0, 0, 0}, {6}), 2));
  for (const double v : q) EXPECT_FALSE(std::isfinite(v));
}

}  // namespace
}  // namespace nf::test
