// Numbers as sums of two floats: splitting and joining loses at most 48 bits' rounding, and the affine map is that of
// doubles, rounded once, on every SIMD target and for any number of columns.
#include "runtime/kernel/low.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/runtime/kernel/every_target.h"
#include "tests/runtime/kernel/matrices.h"

namespace libnf::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

double number(size_t i) { return 1.6e9 + 30 * std::sin(static_cast<double>(i) * 1.7) + static_cast<double>(i) / 3; }
Rows<const float> rows_of(const Floats& v, int64_t cols) {
  return {v.data(), static_cast<int64_t>(v.size()) / cols, cols, cols};
}

TEST(LowKernel, SplitsAndJoins) {
  on_every_target([](int64_t) {
    for (size_t n = 0; n <= 40; ++n) {
      Doubles x;
      for (size_t i = 0; i < n; ++i) x.push_back(number(i));
      Floats high(n), low(n);
      Doubles back(n);
      kernel::split_low(x.data(), high.data(), low.data(), static_cast<int64_t>(n));
      kernel::join_low(high.data(), low.data(), back.data(), static_cast<int64_t>(n));
      for (size_t i = 0; i < n; ++i) {
        EXPECT_EQ(high[i], static_cast<float>(x[i]));
        EXPECT_NEAR(back[i], x[i], std::ldexp(std::abs(x[i]), -48));
      }
    }
    const double huge = 1e300, inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
    const Doubles edges = {huge, -huge, inf, -inf, nan, 0, -0.0, 1e-320, 0.1f};
    Floats high(edges.size()), low(edges.size());
    kernel::split_low(edges.data(), high.data(), low.data(), static_cast<int64_t>(edges.size()));
    for (size_t i = 0; i < edges.size(); ++i) EXPECT_EQ(low[i], 0) << edges[i];
    EXPECT_EQ(high[0], std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(high[4]));
  });
}

TEST(LowKernel, AffineIsThatOfDoubles) {
  on_every_target([](int64_t) {
    for (const int64_t cols : {1, 2, 3, 8, 17, 33}) {
      const int64_t rows = 5;
      const auto n = static_cast<size_t>(rows * cols), d = static_cast<size_t>(cols);
      Doubles x(n), before(d), after(d), factor(d);
      for (size_t i = 0; i < n; ++i) x[i] = number(i);
      for (size_t j = 0; j < d; ++j) {
        before[j] = number(3 * j + 1);
        after[j] = number(j + 7) * 1e-3;
        factor[j] = 0.3 + 0.01 * static_cast<double>(j);
      }
      Floats xh(n), xl(n), bh(d), bl(d), ah(d), al(d), y(n, 7), y_low(n, 7);
      kernel::split_low(x.data(), xh.data(), xl.data(), rows * cols);
      kernel::split_low(before.data(), bh.data(), bl.data(), cols);
      kernel::split_low(after.data(), ah.data(), al.data(), cols);
      const auto shared = [&](const Floats& v) { return shared_row(v.data(), rows, cols); };
      const kernel::HighLow in{rows_of(xh, cols), rows_of(xl, cols)}, b{shared(bh), shared(bl)},
          a{shared(ah), shared(al)};
      kernel::affine_low(in, b, factor.data(), a, {y.data(), rows, cols, cols}, y_low.data());
      for (size_t i = 0; i < n; ++i) {
        const double want = (x[i] - before[i % d]) * factor[i % d] + after[i % d];
        EXPECT_NEAR(static_cast<double>(y[i]), want, std::ldexp(std::abs(want), -23));
        EXPECT_NEAR(static_cast<double>(y[i]) + static_cast<double>(y_low[i]), want,
                    1e-4 + std::ldexp(std::abs(want), -45));
      }
      // Without low parts y stays as it is, and y_low is what it lacks.
      const kernel::HighLow plain{rows_of(xh, cols), {}}, plain_b{shared(bh), {}}, none{};
      Floats kept(n);
      for (size_t i = 0; i < n; ++i) kept[i] = (xh[i] - bh[i % d]) * 0.5f;
      const Floats old = kept;
      kernel::affine_low(plain, plain_b, Doubles(d, 0.5).data(), none, {kept.data(), rows, cols, cols}, y_low.data());
      EXPECT_EQ(kept, old);
      for (size_t i = 0; i < n; ++i)
        EXPECT_EQ(static_cast<double>(kept[i]) + static_cast<double>(y_low[i]),
                  (static_cast<double>(xh[i]) - static_cast<double>(bh[i % d])) * 0.5);
    }
  });
}

}  // namespace
}  // namespace libnf::test
