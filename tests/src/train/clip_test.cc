// Clipping against PyTorch (golden 12_grad_clip), the chunked norm against a plain sum, and the effect of non-finite
// values.
#include "src/train/clip.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/kernel/reduce.h"
#include "tests/support/golden.h"

namespace libnf {
namespace {

using test::Golden;

template <class T>
double norm_of(const std::vector<T>& g) {
  const int64_t n = static_cast<int64_t>(g.size());
  std::vector<double> sums;
  for (int64_t i = 0; i < n; i += kNormChunk)
    sums.push_back(kernel::sum_squares(g.data() + i, std::min(kNormChunk, n - i)));
  return combine_norm(sums.data(), static_cast<int64_t>(sums.size()));
}

template <class T>
void expect_golden() {
  const Golden g = Golden::load("12_grad_clip");
  for (const std::string prefix : {"clipped.", "unclipped."}) {
    std::vector<T> grad;
    std::vector<double> expected;
    for (int j = 0; j < 3; ++j) {
      const auto& in = g[prefix + "grad." + std::to_string(j)].data;
      const auto& out = g[prefix + "out." + std::to_string(j)].data;
      grad.insert(grad.end(), in.begin(), in.end());
      expected.insert(expected.end(), out.begin(), out.end());
    }
    const double norm = norm_of(grad), factor = norm_factor(norm, g[prefix + "max_norm"].item());
    test::expect_close(std::vector<double>{norm}, g[prefix + "total_norm"], test::golden_tolerance<T>, prefix);
    EXPECT_EQ(factor == 1, prefix == "unclipped.");
    for (T& x : grad) x = static_cast<T>(x * factor);
    test::expect_close(grad, expected, test::golden_tolerance<T>, prefix);
  }
  std::vector<T> values = g["value.grad"].template as<T>();
  clip_value(values.data(), g["value.clip"].item(), 0, static_cast<int64_t>(values.size()));
  test::expect_close(values, g["value.out"], test::golden_tolerance<T>, "value");
}

TEST(Clip, GoldenF64) { expect_golden<double>(); }
TEST(Clip, GoldenF32) { expect_golden<float>(); }

TEST(Clip, ChunkedNormIsTheNormForAnyLength) {
  for (int64_t n : {int64_t{0}, int64_t{1}, int64_t{15}, int64_t{17}, kNormChunk - 1, kNormChunk, kNormChunk + 1,
                    3 * kNormChunk + 5}) {
    std::vector<float> g(static_cast<size_t>(n));
    long double exact = 0;
    for (int64_t i = 0; i < n; ++i) {
      g[i] = std::sin(static_cast<float>(i));
      exact += static_cast<long double>(g[i]) * g[i];
    }
    const double norm = norm_of(g), expected = static_cast<double>(std::sqrt(exact));
    EXPECT_NEAR(norm, expected, 1e-12 * expected) << n;
  }
}

TEST(Clip, NonFiniteGradientsShowInTheNorm) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (size_t at : {size_t{0}, size_t{20000}, size_t{20002}}) {
      std::vector<float> g(20003, 1.0f);
      g[at] = bad;
      EXPECT_FALSE(std::isfinite(norm_of(g))) << at;
    }
  }
  EXPECT_TRUE(std::isfinite(norm_of(std::vector<float>(100, std::numeric_limits<float>::max()))));
  EXPECT_TRUE(std::isnan(norm_factor(std::nan(""), 1)));
}

TEST(Clip, FactorEdges) {
  EXPECT_EQ(norm_factor(100, 0), 1) << "0 is off";
  EXPECT_EQ(norm_factor(0, 1), 1);
  EXPECT_EQ(norm_factor(0.5, 1), 1);
  EXPECT_EQ(norm_factor(4, 2), 2 / (4 + 1e-6));
}

TEST(Clip, ValueTouchesOnlyItsRangeAndKeepsNan) {
  std::vector<double> g = {5, 5, std::nan(""), -5, 0.5, 5};
  clip_value(g.data(), 1.0, 1, 5);
  EXPECT_EQ(g[0], 5);
  EXPECT_EQ(g[1], 1);
  EXPECT_TRUE(std::isnan(g[2]));
  EXPECT_EQ(g[3], -1);
  EXPECT_EQ(g[4], 0.5);
  EXPECT_EQ(g[5], 5);
}

}  // namespace
}  // namespace libnf
