// Two-argument kernels and broadcasts on every SIMD target: exact results, NaN rules, and no write outside the span.
#include "runtime/kernel/binary.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/runtime/kernel/every_target.h"

namespace libnf::test {
namespace {

using kernel::Binary;

template <class T>
class BinaryKernel : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BinaryKernel, Types);

template <class T>
T plain(Binary f, T x, T b) {
  switch (f) {
    case Binary::add:
      return x + b;
    case Binary::sub:
      return x - b;
    case Binary::mul:
      return x * b;
    case Binary::div:
      return x / b;
    case Binary::max:
      return std::isnan(x) || std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : x < b ? b : x;
    case Binary::min:
      return std::isnan(x) || std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : b < x ? b : x;
  }
  return 0;
}

template <class T>
std::vector<T> values(size_t n, size_t seed) {
  constexpr T kSpecial[] = {0,
                            std::numeric_limits<T>::infinity(),
                            -std::numeric_limits<T>::infinity(),
                            std::numeric_limits<T>::quiet_NaN(),
                            std::numeric_limits<T>::max(),
                            std::numeric_limits<T>::denorm_min(),
                            -0.0};
  std::vector<T> x(n);
  for (size_t i = 0; i < n; ++i) {
    const size_t h = (i + seed) * 2654435761u % 1009;
    x[i] = h % 5 == 0 ? kSpecial[h % 7] : static_cast<T>(h) / 100 - 5;
  }
  return x;
}
template <class T>
void expect_same(T got, T want, size_t i) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(got)) << i;
  } else {
    EXPECT_EQ(got, want) << i;
  }
}

constexpr size_t kMargin = 61;

TYPED_TEST(BinaryKernel, EveryOperationOnEverySpan) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (const Binary f : {Binary::add, Binary::sub, Binary::mul, Binary::div, Binary::max, Binary::min}) {
      for (size_t n = 0; n <= 70; ++n) {
        const std::vector<T> x = values<T>(n, 1), b = values<T>(n, 400);
        const int64_t count = static_cast<int64_t>(n);
        std::vector<T> y(n + 2 * kMargin, T{-99}), right = y, left = y;
        kernel::binary(f, x.data(), b.data(), y.data() + kMargin, count);
        kernel::binary_scalar(f, x.data(), T{1.5}, right.data() + kMargin, count);
        kernel::scalar_binary(f, T{1.5}, x.data(), left.data() + kMargin, count);
        for (size_t i = 0; i < y.size(); ++i) {
          if (i < kMargin || i >= kMargin + n) {
            ASSERT_EQ(y[i], T{-99});
            ASSERT_EQ(right[i], T{-99});
            ASSERT_EQ(left[i], T{-99});
            continue;
          }
          const size_t j = i - kMargin;
          expect_same(y[i], plain(f, x[j], b[j]), j);
          expect_same(right[i], plain(f, x[j], T{1.5}), j);
          expect_same(left[i], plain(f, T{1.5}, x[j]), j);
        }
      }
    }
  });
}

TYPED_TEST(BinaryKernel, Updates) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (size_t n = 0; n <= 70; ++n) {
      std::vector<T> x(n), b(n), base(n + 1, T{-99});
      for (size_t i = 0; i < n; ++i) x[i] = static_cast<T>(i) - 7, b[i] = static_cast<T>(2 * i), base[i] = T{0.5};
      const int64_t count = static_cast<int64_t>(n);
      std::vector<T> y[7];
      for (auto& v : y) v = base;
      kernel::axpy(T{0.25}, x.data(), y[0].data(), count);
      kernel::mul_add(x.data(), b.data(), y[1].data(), count);
      kernel::mul_sub(x.data(), b.data(), y[2].data(), count);
      kernel::scale(T{3}, x.data(), y[3].data(), count);
      kernel::accumulate(x.data(), y[4].data(), count);
      kernel::fill(T{4}, y[5].data(), count);
      kernel::copy(x.data(), y[6].data(), count);
      for (size_t i = 0; i < n; ++i) {
        EXPECT_EQ(y[0][i], T{0.5} + x[i] / 4);
        EXPECT_EQ(y[1][i], T{0.5} + x[i] * b[i]);
        EXPECT_EQ(y[2][i], T{0.5} - x[i] * b[i]);
        EXPECT_EQ(y[3][i], 3 * x[i]);
        EXPECT_EQ(y[4][i], T{0.5} + x[i]);
        EXPECT_EQ(y[5][i], 4);
        EXPECT_EQ(y[6][i], x[i]);
      }
      for (auto& v : y) EXPECT_EQ(v[n], T{-99});
    }
  });
}

TYPED_TEST(BinaryKernel, ClampKeepsNaN) {
  using T = TypeParam;
  const std::vector<T> x = values<T>(70, 9);
  on_every_target([&](int64_t) {
    std::vector<T> y(70);
    kernel::clamp(T{-1}, T{2}, x.data(), y.data(), 70);
    for (size_t i = 0; i < 70; ++i)
      expect_same(y[i], std::isnan(x[i]) ? x[i] : std::min(std::max(x[i], T{-1}), T{2}), i);
  });
}

TYPED_TEST(BinaryKernel, Broadcasts) {
  using T = TypeParam;
  on_every_target([&](int64_t) {
    for (const size_t cols : {1, 2, 7, 16, 33}) {
      const size_t rows = 5, ld = cols + 3;
      std::vector<T> by_col(cols), by_row(rows), base(rows * ld);
      for (size_t i = 0; i < cols; ++i) by_col[i] = static_cast<T>(i) + 2;
      for (size_t i = 0; i < rows; ++i) by_row[i] = static_cast<T>(i) - 2;
      for (size_t i = 0; i < base.size(); ++i) base[i] = static_cast<T>(i % 11) - 4;
      std::vector<T> y[4] = {base, base, base, base};
      const int64_t l = static_cast<int64_t>(ld), r = static_cast<int64_t>(rows), c = static_cast<int64_t>(cols);
      kernel::add_row(by_col.data(), y[0].data(), l, r, c);
      kernel::mul_row(by_col.data(), y[1].data(), l, r, c);
      kernel::add_col(by_row.data(), y[2].data(), l, r, c);
      kernel::mul_col(by_row.data(), y[3].data(), l, r, c);
      for (size_t i = 0; i < base.size(); ++i) {
        const bool inside = i % ld < cols;
        const T b_col = inside ? by_col[i % ld] : 0, b_row = by_row[i / ld];
        EXPECT_EQ(y[0][i], inside ? base[i] + b_col : base[i]);
        EXPECT_EQ(y[1][i], inside ? base[i] * b_col : base[i]);
        EXPECT_EQ(y[2][i], inside ? base[i] + b_row : base[i]);
        EXPECT_EQ(y[3][i], inside ? base[i] * b_row : base[i]);
      }
    }
  });
}

}  // namespace
}  // namespace libnf::test
