// Reductions on every SIMD target: values against long double, an order that depends on cols only, NaN and infinities.
#include "runtime/kernel/reduce.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/runtime/kernel/every_target.h"

namespace libnf::test {
namespace {

using Real = long double;

template <class T>
class ReduceKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ReduceKernel, Types);

template <class T>
struct Matrix {
  int64_t rows, cols, ld;
  std::vector<T> x;
  Matrix(int64_t r, int64_t c, uint64_t seed, double scale = 1) : rows(r), cols(c), ld(c + 3) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal(0, scale);
    x.resize(static_cast<size_t>(r * ld), std::numeric_limits<T>::quiet_NaN());  // padding that must not be read
    for (int64_t i = 0; i < r; ++i) {
      for (int64_t j = 0; j < c; ++j) at(i, j) = static_cast<T>(normal(engine));
    }
  }
  T& at(int64_t r, int64_t c) { return x[static_cast<size_t>(r * ld + c)]; }
};

constexpr int64_t kCols[] = {0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 67, 129, 300};
// Error bound of n roundings of partial sums of terms whose absolute values sum to `size`; pairwise order does better.
template <class T>
double bound(int64_t n, Real size) {
  return static_cast<double>((std::sqrt(static_cast<Real>(n)) + 2) * size * std::numeric_limits<T>::epsilon());
}

TYPED_TEST(ReduceKernel, RowsAgainstLongDouble) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (const int64_t cols : kCols) {
      Matrix<T> x(7, cols, 1, 5), y(7, cols, 2);
      std::vector<T> sum(7), top(7), lse(7), dot(7);
      kernel::row_sum(x.x.data(), x.ld, 7, cols, sum.data());
      kernel::row_max(x.x.data(), x.ld, 7, cols, top.data());
      kernel::row_logsumexp(x.x.data(), x.ld, 7, cols, lse.data());
      kernel::row_dot(x.x.data(), x.ld, y.x.data(), y.ld, 7, cols, dot.data());
      for (int64_t r = 0; r < 7; ++r) {
        Real s = 0, size = 0, m = -HUGE_VALL, e = 0, p = 0, p_size = 0;
        for (int64_t c = 0; c < cols; ++c) {
          const Real v = x.at(r, c), w = y.at(r, c);
          s += v, size += std::fabs(v), m = std::fmax(m, v), p += v * w, p_size += std::fabs(v * w), e += std::exp(v);
        }
        const size_t i = static_cast<size_t>(r);
        EXPECT_NEAR(sum[i], s, bound<T>(cols, size));
        EXPECT_NEAR(dot[i], p, bound<T>(cols, p_size));
        EXPECT_EQ(top[i], static_cast<T>(m));
        if (cols == 0) {
          EXPECT_EQ(lse[i], -std::numeric_limits<T>::infinity());
        } else {
          EXPECT_NEAR(lse[i], std::log(e), bound<T>(cols, 2 + std::fabs(m)));
        }
      }
    }
  });
}

TYPED_TEST(ReduceKernel, ARowDependsOnNeitherNeighborsNorAddress) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (const int64_t cols : kCols) {
      Matrix<T> x(5, cols, 3);
      std::vector<T> whole(5), y(static_cast<size_t>(5 * cols));
      kernel::row_logsumexp(x.x.data(), x.ld, 5, cols, whole.data());
      kernel::softmax(x.x.data(), x.ld, y.data(), cols, 5, cols);
      for (int64_t r = 0; r < 5; ++r) {
        std::vector<T> moved(static_cast<size_t>(cols + 5)), soft(static_cast<size_t>(cols + 1), T{-9});
        std::copy_n(&x.x[static_cast<size_t>(r * x.ld)], cols, moved.begin() + 5);
        T one;
        kernel::row_logsumexp(moved.data() + 5, cols, 1, cols, &one);
        EXPECT_EQ(one, whole[static_cast<size_t>(r)]);
        kernel::softmax(moved.data() + 5, cols, soft.data(), cols, 1, cols);
        EXPECT_EQ(soft.back(), T{-9});
        for (int64_t c = 0; c < cols; ++c) {
          EXPECT_EQ(soft[static_cast<size_t>(c)], y[static_cast<size_t>(r * cols + c)]);
        }
      }
    }
  });
}

TYPED_TEST(ReduceKernel, SoftmaxFamilyAndGradients) {
  using T = TypeParam;
  const double eps = std::numeric_limits<T>::epsilon();
  on_every_target([&](int64_t) {
    for (const int64_t cols : kCols) {
      Matrix<T> x(3, cols, 4, 4), gy(3, cols, 5);
      std::vector<T> y(static_cast<size_t>(3 * cols)), ly = y, g(y.size(), T{1}), lg = g;
      kernel::softmax(x.x.data(), x.ld, y.data(), cols, 3, cols);
      kernel::log_softmax(x.x.data(), x.ld, ly.data(), cols, 3, cols);
      kernel::softmax_grad(y.data(), cols, gy.x.data(), gy.ld, g.data(), cols, 3, cols);
      kernel::log_softmax_grad(ly.data(), cols, gy.x.data(), gy.ld, lg.data(), cols, 3, cols);
      for (int64_t r = 0; r < 3; ++r) {
        Real e = 0, dot = 0, sum = 0;
        for (int64_t c = 0; c < cols; ++c) e += std::exp(static_cast<Real>(x.at(r, c)));
        for (int64_t c = 0; c < cols; ++c) dot += std::exp(static_cast<Real>(x.at(r, c))) / e * gy.at(r, c);
        for (int64_t c = 0; c < cols; ++c) sum += gy.at(r, c);
        for (int64_t c = 0; c < cols; ++c) {
          const size_t i = static_cast<size_t>(r * cols + c);
          const Real p = std::exp(static_cast<Real>(x.at(r, c))) / e;
          EXPECT_NEAR(y[i], p, 40 * eps * static_cast<double>(p));  // the error of e^(x - max) is |x - max| eps
          EXPECT_NEAR(ly[i], std::log(p), 40 * eps);
          EXPECT_NEAR(g[i], 1 + p * (gy.at(r, c) - dot), 40 * eps);
          EXPECT_NEAR(lg[i], 1 + gy.at(r, c) - p * sum, (60 + 2 * cols) * eps);
        }
      }
    }
  });
}

TYPED_TEST(ReduceKernel, ExtremesAndNaN) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  on_every_target([&](int64_t) {
    const T rows[6][3] = {{900, -900, 899}, {-inf, -inf, -inf}, {1, inf, 2},
                          {-inf, 3, -inf},  {1, nan, 2},        {nan, inf, -inf}};
    T lse[6], top[6], soft[6][3];
    kernel::row_logsumexp(&rows[0][0], 3, 6, 3, lse);
    kernel::row_max(&rows[0][0], 3, 6, 3, top);
    kernel::softmax(&rows[0][0], 3, &soft[0][0], 3, 6, 3);
    EXPECT_NEAR(lse[0], 900.3132616875182, sizeof(T) == 4 ? 1e-4 : 1e-12);
    EXPECT_EQ(lse[1], -inf);
    EXPECT_EQ(lse[2], inf);
    EXPECT_NEAR(lse[3], 3, 1e-6);
    EXPECT_TRUE(std::isnan(lse[4]) && std::isnan(lse[5]) && std::isnan(top[4]) && std::isnan(top[5]));
    EXPECT_EQ(top[1], -inf);
    EXPECT_EQ(top[2], inf);
    EXPECT_EQ(soft[3][0], 0);
    EXPECT_EQ(soft[3][1], 1);
    EXPECT_TRUE(std::isnan(soft[1][0]) && std::isnan(soft[4][0]));
  });
}

TYPED_TEST(ReduceKernel, ColumnsAccumulateInRowOrder) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (const int64_t cols : kCols) {
      Matrix<T> x(9, cols, 6), y(9, cols, 7);
      std::vector<T> out(static_cast<size_t>(cols + 1), T{2}), dot = out;
      kernel::col_sum_add(x.x.data(), x.ld, 9, cols, out.data());
      kernel::col_dot_add(x.x.data(), x.ld, y.x.data(), y.ld, 9, cols, dot.data());
      for (int64_t c = 0; c < cols; ++c) {
        T s = 2;
        Real p = 2;
        for (int64_t r = 0; r < 9; ++r) s += x.at(r, c), p += static_cast<Real>(x.at(r, c)) * y.at(r, c);
        EXPECT_EQ(out[static_cast<size_t>(c)], s);
        EXPECT_NEAR(dot[static_cast<size_t>(c)], p, bound<T>(9, 20));
      }
      EXPECT_EQ(out.back(), 2);
      EXPECT_EQ(dot.back(), 2);
    }
  });
}

TYPED_TEST(ReduceKernel, SumOfSquaresAndFiniteness) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (int64_t n = 0; n <= 70; ++n) {
      Matrix<T> x(1, n, 8);
      Real s = 0;
      for (int64_t i = 0; i < n; ++i) s += static_cast<Real>(x.at(0, i)) * x.at(0, i);
      EXPECT_NEAR(kernel::sum_squares(x.x.data(), n), s, 1e-14 * static_cast<double>(s));
      EXPECT_TRUE(kernel::all_finite(x.x.data(), n));
      for (int64_t i = 0; i < n; ++i) {
        const T keep = x.at(0, i);
        for (const T bad : {std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::infinity()}) {
          x.at(0, i) = bad;
          EXPECT_FALSE(kernel::all_finite(x.x.data(), n)) << n << " " << i;
        }
        x.at(0, i) = keep;
      }
    }
    Matrix<T> m(6, 5, 9);
    EXPECT_EQ(kernel::first_nonfinite_row(m.x.data(), m.ld, m.rows, m.cols), -1);
    m.at(4, 4) = std::numeric_limits<T>::infinity();
    EXPECT_EQ(kernel::first_nonfinite_row(m.x.data(), m.ld, m.rows, m.cols), 4);
    const T packed[4] = {1, std::numeric_limits<T>::max(), 2, std::numeric_limits<T>::quiet_NaN()};
    EXPECT_EQ(kernel::first_nonfinite_row(packed, 2, 2, 2), 1);
    EXPECT_EQ(kernel::first_nonfinite_row(packed, 2, 1, 2), -1);
  });
}

}  // namespace
}  // namespace libnf::test
