// The Polyak average against its definition as a weighted sum, with and without bias correction.
#include "src/train/ema.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "src/train/check_fields.h"
#include "tests/support/golden.h"

namespace libnf {
namespace {

EmaConfig averaging(double decay, bool bias_correction) {
  EmaConfig c;
  c.decay = decay;
  c.bias_correction = bias_correction;
  return c;
}

template <class T>
std::vector<T> params(int64_t n, int step) {
  std::vector<T> p;
  for (int64_t i = 0; i < n; ++i) p.push_back(static_cast<T>(std::sin(0.3 * static_cast<double>(i) + step)));
  return p;
}

template <class T>
void expect_weighted_mean(bool bias_correction) {
  const int64_t n = 37;
  const EmaConfig config = averaging(0.9, bias_correction);
  std::vector<T> average = bias_correction ? std::vector<T>(n) : params<T>(n, 0);
  const std::vector<T> start = average;
  std::vector<double> sum(start.begin(), start.end());
  double weight = bias_correction ? 0 : 1;
  for (int t = 1; t <= 25; ++t) {
    const std::vector<T> p = params<T>(n, t);
    ema_update(config, static_cast<uint64_t>(t), average.data(), p.data(), 0, n);
    std::vector<double> expected;
    weight = 0.9 * weight + 0.1;
    for (int64_t i = 0; i < n; ++i) {
      sum[i] = 0.9 * sum[i] + 0.1 * static_cast<double>(p[i]);
      expected.push_back(sum[i] / weight);
    }
    // 25 steps of two roundings each
    ASSERT_TRUE(test::is_close(average, expected, sizeof(T) == 8 ? 1e-14 : 2e-6)) << "step " << t;
    if (t == 1 && bias_correction) {
      EXPECT_EQ(average, p) << "the first average is the first value, exactly";
    }
  }
}

TEST(Ema, WeightedMeanF64) {
  expect_weighted_mean<double>(true);
  expect_weighted_mean<double>(false);
}
TEST(Ema, WeightedMeanF32) {
  expect_weighted_mean<float>(true);
  expect_weighted_mean<float>(false);
}

TEST(Ema, SplittingTheRangeChangesNoBit) {
  const EmaConfig config = averaging(0.999, true);
  std::vector<float> whole(101), parts(101);
  for (uint64_t t = 1; t <= 3; ++t) {
    const std::vector<float> p = params<float>(101, static_cast<int>(t));
    ema_update(config, t, whole.data(), p.data(), 0, 101);
    for (int64_t cut[] = {0, 3, 50, 50, 101}, *c = cut; c < cut + 4; ++c)
      ema_update(config, t, parts.data(), p.data(), c[0], c[1]);
  }
  EXPECT_EQ(whole, parts);
  ema_update<float>(config, 1, nullptr, nullptr, 0, 0);
}

TEST(Ema, LongRunsApproachTheConstant) {
  const EmaConfig config = averaging(0.99999999, true);
  std::vector<double> average(3), p(3, 2.5);
  ema_update(config, 1, average.data(), p.data(), 0, 3);
  ema_update(config, uint64_t{1} << 52, average.data(), p.data(), 0, 3);
  EXPECT_EQ(average, p);
}

TEST(Ema, ZeroDecayCopies) {
  std::vector<double> average(3, 7.0), p = params<double>(3, 1);
  ema_update(averaging(0, true), 5, average.data(), p.data(), 0, 3);
  test::expect_close(average, p, 1e-15);
}

TEST(Ema, FieldsAreInBounds) {
  EmaConfig config;
  EXPECT_EQ(config.decay, 0);
  EXPECT_TRUE(config.bias_correction);
  check_fields(config);
  config.decay = 1;
  EXPECT_THROW(check_fields(config), Error);
}

}  // namespace
}  // namespace libnf
