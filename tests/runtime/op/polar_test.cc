// The polar factor: orthonormal for any condition number, a fixed point of itself, the nearest orthonormal matrix; and
// linearly dependent rows.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "runtime/kernel/symmetric_eigen.h"
#include "runtime/op/polar.h"
#include "tests/runtime/kernel/every_target.h"
#include "tests/support/graph.h"

namespace libnf::test {
namespace {

// Checks A = V^T diag(w) V with orthonormal rows of V to a few ULP of the largest element, on every SIMD target.
void expect_apart(int64_t n, const Values& a) {
  on_every_target([&](int64_t) {
    Values work = a, v(a.size()), w(static_cast<size_t>(n));
    kernel::symmetric_eigen(n, work.data(), v.data(), w.data());
    double size = 0;
    for (const double x : a) size = std::max(size, std::abs(x));
    const double tolerance = 1e-15 * static_cast<double>(n + 8), scale = size * tolerance;
    double off = 0, apart = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double back = 0, dot = 0;
        for (int64_t k = 0; k < n; ++k) {
          const auto at = static_cast<size_t>(k * n);
          back += v[at + static_cast<size_t>(i)] * w[static_cast<size_t>(k)] * v[at + static_cast<size_t>(j)];
          dot += v[static_cast<size_t>(i * n + k)] * v[static_cast<size_t>(j * n + k)];
        }
        off = std::max(off, std::abs(back - a[static_cast<size_t>(i * n + j)]));
        apart = std::max(apart, std::abs(dot - (i == j)));
      }
    EXPECT_LE(off, scale) << n;
    EXPECT_LE(apart, tolerance) << n;
  });
}

// Returns a symmetric matrix with these eigenvalues and random eigenvectors, by two-sided reflections.
Values with_eigenvalues(const Values& w, uint64_t seed) {
  const auto n = static_cast<int64_t>(w.size());
  std::mt19937_64 random(seed);
  Values a(static_cast<size_t>(n * n));
  const auto at = [&](int64_t i, int64_t j) -> double& { return a[static_cast<size_t>(i * n + j)]; };
  for (int64_t i = 0; i < n; ++i) at(i, i) = w[static_cast<size_t>(i)];
  for (int turn = 0; turn < 3; ++turn) {
    const Values u = draw_normal(n, random);
    double square = 0;
    for (const double x : u) square += x * x;
    for (const bool columns : {false, true})
      for (int64_t i = 0; i < n; ++i) {
        double dot = 0;
        for (int64_t j = 0; j < n; ++j) dot += (columns ? at(j, i) : at(i, j)) * u[static_cast<size_t>(j)];
        for (int64_t j = 0; j < n; ++j) (columns ? at(j, i) : at(i, j)) -= 2 / square * dot * u[static_cast<size_t>(j)];
      }
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) at(i, j) = at(j, i);
  return a;
}

TEST(SymmetricEigen, DecomposesAMatrix) {
  std::mt19937_64 random(1);
  for (const int64_t n : {1, 2, 3, 4, 8, 17, 33, 64, 131}) {
    Values a = draw_normal(n * n, random);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j) a[static_cast<size_t>(i * n + j)] = a[static_cast<size_t>(j * n + i)];
    for (const double size : {1.0, 1e-300, 1e300, 1e-150}) {
      Values scaled = a;
      for (double& x : scaled) x *= size;
      expect_apart(n, scaled);
    }
  }
}

TEST(SymmetricEigen, DecomposesHardMatrices) {
  for (const int64_t n : {2, 5, 40}) {
    const auto size = static_cast<size_t>(n);
    Values one(size, 1.0), steep(size), pairs(size), sparse(size * size), blocks(size * size);
    for (size_t i = 0; i < size; ++i) {
      steep[i] = std::pow(10.0, -20.0 * static_cast<double>(i) / static_cast<double>(n));
      pairs[i] = static_cast<double>(i / 2) - 1;
      sparse[i * size + (size - 1 - i)] = 1;
      blocks[i * size + i] = 2;
      if (i + 1 < size && i % 2 == 0) blocks[i * size + i + 1] = blocks[(i + 1) * size + i] = 1e-9;
    }
    for (const Values& w : {one, steep, pairs}) expect_apart(n, with_eigenvalues(w, 3));
    expect_apart(n, sparse);
    expect_apart(n, blocks);
    expect_apart(n, Values(size * size));
    expect_apart(n, Values(size * size, 1.0));
  }
}

TEST(SymmetricEigen, OfANonFiniteMatrixIsNaN) {
  for (const double bad : {NAN, INFINITY, -INFINITY}) {
    Values a(25, 1.0), v(25), w(5);
    a[7] = a[11] = bad;
    kernel::symmetric_eigen(5, a.data(), v.data(), w.data());
    for (const Values& all : {v, w})
      for (const double x : all) EXPECT_TRUE(std::isnan(x));
  }
}

template <class T>
class PolarTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(PolarTest, Types);

TYPED_TEST(PolarTest, RowsAreOrthonormal) {
  constexpr double eps = sizeof(TypeParam) == 8 ? 2e-15 : 1e-6;
  std::mt19937_64 random(2);
  for (const double squeeze : {1.0, 1e-3, 1e-6}) {  // scales the second row; the condition is about the inverse
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

// Q is orthonormal and A Q^T symmetric positive, so Q is the polar factor; gradients match finite differences.
TEST(Polar, OfManyRows) {
  for (const auto& size : {std::pair<int64_t, int64_t>{32, 32}, {33, 70}, {64, 128}}) {
    const int64_t m = size.first, d = size.second;  // clang 14 cannot capture a structured binding
    std::mt19937_64 random(4);
    Values a = draw_normal(m * d, random);
    const Values cot = draw_normal(m * d, random);
    Graph<double> g;
    Var leaf = g.leaf(a, {m * d});
    Var q = polar_rows(g.tape, leaf, m);
    const Values v = g.value(q);
    const auto row = [d](const Values& x, int64_t i) { return &x[static_cast<size_t>(i * d)]; };
    const auto dot = [d](const double* x, const double* y) { return std::inner_product(x, x + d, y, 0.0); };
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j <= i; ++j) {
        ASSERT_NEAR(dot(row(v, i), row(v, j)), i == j, 1e-14);
        ASSERT_NEAR(dot(row(a, i), row(v, j)), dot(row(a, j), row(v, i)), 1e-11);
      }
    for (int64_t i = 0; i < m; ++i) ASSERT_GT(dot(row(a, i), row(v, i)), 0);
    std::copy(cot.begin(), cot.end(), g.tape.grad(*q).as<double>());
    g.tape.backward();
    const Values grad = g.grad(leaf);
    for (int e = 0; e < 12; ++e) {
      const auto k = static_cast<size_t>(random() % a.size());
      const double keep = a[k];
      const double want = five_point(1e-4, {1.0}, [&](double h) {
        a[k] = keep + h;
        Graph<double> near;
        const Values moved = near.value(polar_rows(near.tape, near.leaf(a, {m * d}), m));
        return Values{std::inner_product(moved.begin(), moved.end(), cot.begin(), 0.0)};
      });
      a[k] = keep;
      EXPECT_NEAR(grad[k], want, 1e-6 * std::max(1.0, std::abs(want))) << m << " " << k;
    }
  }
}

TYPED_TEST(PolarTest, RowsThatDependOnEachOtherHaveNone) {
  Graph<TypeParam> g;
  const Values q = g.value(polar_rows(g.tape, g.leaf({1, 2, 3, 0, 0, 0}, {6}), 2));
  for (const double v : q) EXPECT_FALSE(std::isfinite(v));
}

}  // namespace
}  // namespace libnf::test
