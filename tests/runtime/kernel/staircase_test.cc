// Masked products against dense ones in long double, for masks of many shapes on every SIMD target. Every nonzero entry
// of a mask is stored exactly once, and no other entry is; the bits of a row do not depend on the batch.
#include "runtime/kernel/staircase.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/runtime/kernel/every_target.h"
#include "tests/support/brief.h"

namespace libnf::kernel {
namespace {

using test::on_every_target;
using Degrees = std::vector<int32_t>;

struct Shape {
  Degrees degree, need;
};

Degrees sorted(int64_t count, int32_t low, int32_t high, std::mt19937& random) {
  Degrees d(static_cast<size_t>(count));
  for (int32_t& v : d) v = low + static_cast<int32_t>(random() % static_cast<unsigned>(high - low + 1));
  std::sort(d.begin(), d.end());
  return d;
}

std::vector<Shape> shapes() {
  std::mt19937 random(3);
  std::vector<Shape> all = {
      {{0}, {0}},    {{1}, {0}}, {{}, {0, 0}}, {{1, 2, 3}, {0, 0, 1, 1, 2, 2}}, {{0, 0, 0}, {0, 0, 0, 0, 0}},
      {{5}, {0, 9}},
  };
  // Many columns of one degree, few columns of many degrees, gaps, and degrees that nothing reads.
  for (const auto& [rows, cols, high] : {std::array<int, 3>{7, 9, 3},
                                         {40, 200, 2},
                                         {150, 130, 20},
                                         {90, 90, 100},
                                         {130, 70, 60},
                                         {300, 16, 5},
                                         {33, 129, 40}})
    all.push_back({sorted(rows, 0, high, random), sorted(cols, 0, high, random)});
  all.push_back({sorted(60, 20, 30, random), sorted(80, 3, 25, random)});
  return all;
}

template <class T>
struct Problem {
  Problem(const Shape& shape, int64_t rows) : shape(shape), s(shape.degree, shape.need), n(rows) {
    std::mt19937 random(static_cast<unsigned>(s.rows() * 131 + s.cols() * 17 + n));
    std::normal_distribution<double> normal;
    for (std::vector<T>* v : {&w, &bias, &x, &y, &gx}) {
      v->resize(static_cast<size_t>(v == &w ? s.size() : v == &bias ? s.cols() : (v == &y ? s.cols() : s.rows()) * n));
      for (T& e : *v) e = static_cast<T>(normal(random));
    }
  }
  bool open(int64_t i, int64_t j) const {
    return shape.degree[static_cast<size_t>(i)] <= shape.need[static_cast<size_t>(j)];
  }
  long double weight(int64_t i, int64_t j) const { return w[static_cast<size_t>(s.index(i, j))]; }

  const Shape& shape;
  const Staircase s;
  const int64_t n;
  std::vector<T> w, bias, x, y, gx;
};

template <class T>
void expect_near(T got, long double want, long double size, int64_t terms, const char* what) {
  ASSERT_LE(std::fabs(got - want), size * static_cast<long double>(2 * terms + 2) * std::numeric_limits<T>::epsilon())
      << what;
}

template <class T>
void check(const Problem<T>& p) {
  const int64_t n = p.n, rows = p.s.rows(), cols = p.s.cols();
  const auto at = [n](const std::vector<T>& v, int64_t i, int64_t r) -> long double {
    return v[static_cast<size_t>(i * n + r)];
  };
  std::vector<T> y = p.y, gx = p.gx, scratch(static_cast<size_t>(p.s.scratch(n)));
  for (int64_t e = 0; e < p.s.steps(); ++e) {
    staircase_forward_step<T>(p.s, e, p.w.data(), p.bias.data(), p.x.data(), y.data(), n);
    // The columns of this degree are complete now.
    for (int64_t j = p.s.first_col(e); j < p.s.first_col(e + 1); ++j) {
      for (int64_t r = 0; r < n; ++r) {
        long double sum = p.bias[static_cast<size_t>(j)], size = std::fabs(sum);
        for (int64_t i = 0; i < rows; ++i) {
          if (!p.open(i, j)) continue;
          sum += p.weight(i, j) * at(p.x, i, r);
          size += std::fabs(p.weight(i, j) * at(p.x, i, r));
        }
        expect_near(y[static_cast<size_t>(j * n + r)], sum, size, rows, "y");
      }
    }
  }
  for (int64_t e = p.s.steps() - 1; e >= 0; --e) {
    staircase_back_step<T>(p.s, e, p.w.data(), p.y.data(), gx.data(), n);
    for (int64_t i = 0; i < rows; ++i) {
      if (p.shape.degree[static_cast<size_t>(i)] != e) continue;
      for (int64_t r = 0; r < n; ++r) {
        long double sum = at(p.gx, i, r), size = std::fabs(sum);
        for (int64_t j = 0; j < cols; ++j) {
          if (!p.open(i, j)) continue;
          sum += p.weight(i, j) * at(p.y, j, r);
          size += std::fabs(p.weight(i, j) * at(p.y, j, r));
        }
        expect_near(gx[static_cast<size_t>(i * n + r)], sum, size, cols, "gx");
      }
    }
  }
  std::vector<T> at_once = p.y, sum = y;
  staircase_forward<T>(p.s, p.w.data(), p.bias.data(), p.x.data(), at_once.data(), n, scratch.data());
  EXPECT_EQ(at_once, y);
  staircase_forward<T>(p.s, p.w.data(), p.bias.data(), p.x.data(), at_once.data(), n, scratch.data(),
                       {p.y.data(), n, true});
  for (size_t k = 0; k < sum.size(); ++k) sum[k] = std::max(sum[k] + p.y[k], T(0));
  EXPECT_EQ(at_once, sum);
  at_once = p.gx;
  staircase_back<T>(p.s, p.w.data(), p.y.data(), at_once.data(), n, true, scratch.data());
  const auto near = [&](T got, T want) {
    return std::fabs(got - want) <= 1e3 * std::numeric_limits<T>::epsilon() * (1 + std::fabs(want));
  };
  for (size_t k = 0; k < gx.size(); ++k) ASSERT_TRUE(near(at_once[k], gx[k])) << k;
  staircase_back<T>(p.s, p.w.data(), p.y.data(), at_once.data(), n, false, scratch.data());
  for (size_t k = 0; k < gx.size(); ++k) ASSERT_TRUE(near(at_once[k] + p.gx[k], gx[k])) << k;
  for (const bool accumulate : {false, true}) {
    std::vector<T> gw = p.w;
    staircase_weights<T>(p.s, p.x.data(), p.y.data(), gw.data(), n, accumulate, scratch.data());
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) {
        if (!p.open(i, j)) continue;
        long double sum = accumulate ? p.weight(i, j) : 0, size = std::fabs(sum);
        for (int64_t r = 0; r < n; ++r) {
          sum += at(p.x, i, r) * at(p.y, j, r);
          size += std::fabs(at(p.x, i, r) * at(p.y, j, r));
        }
        expect_near(gw[static_cast<size_t>(p.s.index(i, j))], sum, size, n, "gw");
      }
  }
}

template <class T>
class StaircaseTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(StaircaseTest, Types);

TYPED_TEST(StaircaseTest, MatchesADenseProduct) {
  const auto all = shapes();
  on_every_target([&](int64_t) {
    for (const Shape& shape : all)
      for (const int64_t n : {1, 3, 4, 5, 37}) check(Problem<TypeParam>(shape, n));
    if (test::brief()) return;
    for (const int64_t n : {64, 130}) check(Problem<TypeParam>(all[8], n));
  });
}

TYPED_TEST(StaircaseTest, RowsDoNotDependOnTheBatch) {
  using T = TypeParam;
  const auto all = shapes();
  on_every_target([&](int64_t) {
    for (const Shape& shape : all) {
      const Problem<T> p(shape, 45);
      const auto run = [&](int64_t first, int64_t n) {
        const auto part = [&](const std::vector<T>& v, int64_t units) {
          std::vector<T> out(static_cast<size_t>(units * n));
          for (int64_t i = 0; i < units; ++i)
            std::copy_n(&v[static_cast<size_t>(i * p.n + first)], n, &out[static_cast<size_t>(i * n)]);
          return out;
        };
        std::vector<T> x = part(p.x, p.s.rows()), y = part(p.y, p.s.cols()), gx = part(p.gx, p.s.rows());
        std::vector<T> scratch(static_cast<size_t>(p.s.scratch(n)));
        const std::vector<T> gy = y, gx_before = gx;
        staircase_forward<T>(p.s, p.w.data(), p.bias.data(), x.data(), y.data(), n, scratch.data(),
                             {gy.data(), n, true});
        staircase_back<T>(p.s, p.w.data(), gy.data(), gx.data(), n, true, scratch.data());
        std::vector<T> y_steps = gy, gx_steps = gx_before;
        for (int64_t e = 0; e < p.s.steps(); ++e)
          staircase_forward_step<T>(p.s, e, p.w.data(), p.bias.data(), x.data(), y_steps.data(), n);
        for (int64_t e = p.s.steps() - 1; e >= 0; --e)
          staircase_back_step<T>(p.s, e, p.w.data(), gy.data(), gx_steps.data(), n);
        for (const auto* more : {&gx, &y_steps, &gx_steps}) y.insert(y.end(), more->begin(), more->end());
        return y;
      };
      const std::vector<T> whole = run(0, p.n);
      for (const auto& [first, n] : {std::pair<int64_t, int64_t>{0, 1}, {44, 1}, {3, 2}, {7, 4}, {9, 5}, {16, 29}}) {
        const std::vector<T> part = run(first, n);
        for (int64_t i = 0; i < 2 * (p.s.cols() + p.s.rows()); ++i)
          ASSERT_EQ(0, std::memcmp(&part[static_cast<size_t>(i * n)], &whole[static_cast<size_t>(i * p.n + first)],
                                   static_cast<size_t>(n) * sizeof(T)))
              << "unit " << i << ", rows " << first << " + " << n;
      }
    }
  });
}

TEST(Staircase, StoresEveryOpenEntryOnce) {
  for (const Shape& shape : shapes()) {
    const Staircase s(shape.degree, shape.need);
    std::vector<int> seen(static_cast<size_t>(s.size()));
    for (int64_t i = 0; i < s.rows(); ++i)
      for (int64_t j = 0; j < s.cols(); ++j) {
        const int64_t at = s.index(i, j);
        ASSERT_EQ(at >= 0, shape.degree[static_cast<size_t>(i)] <= shape.need[static_cast<size_t>(j)]);
        if (at >= 0) ++seen.at(static_cast<size_t>(at));
      }
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int k) { return k == 1; }));
  }
}

// A weight matrix without a mask keeps the layout of a dense one.
TEST(Staircase, WithoutAMaskIsRowMajor) {
  const Staircase s(Degrees(3, 0), Degrees(200, 0));
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 200; ++j) EXPECT_EQ(s.index(i, j), i * 200 + j);
}

}  // namespace
}  // namespace libnf::kernel
