// Dropout: values of the mask and what it depends on. total_test.cc checks that a row's mask does not depend on its
// block.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "runtime/op/ops.h"
#include "tests/support/expect_error.h"

namespace libnf {
namespace {

class DropoutTest : public testing::Test {
 protected:
  static constexpr int64_t kRows = 200, kCols = 50;
  Tape t{system_allocator(), DType::f32};
  Var ones_ = nullptr;

  void SetUp() override {
    t.training = true;
    ones_ = t.zeros({kRows, kCols});
    std::fill_n(ones_->y<float>(), kRows * kCols, 1.0f);
  }
  std::vector<float> masked(double rate) {
    Var y = dropout(t, ones_, rate);
    return std::vector<float>(y->y<float>(), y->y<float>() + kRows * kCols);
  }
};

TEST_F(DropoutTest, KeepsTheMean) {
  const auto m = masked(0.3);
  int64_t kept = 0;
  for (float v : m) {
    ASSERT_TRUE(v == 0 || v == static_cast<float>(1 / 0.7)) << v;
    kept += v != 0;
  }
  EXPECT_NEAR(static_cast<double>(kept) / (kRows * kCols), 0.7, 5 * std::sqrt(0.21 / (kRows * kCols)));
}

TEST_F(DropoutTest, EveryOpSeedAndStepHasItsOwnMask) {
  std::set<std::vector<float>> masks;
  for (uint64_t seed : {1, 2})
    for (uint64_t step : {0, 1, 2}) {
      t.random = RandomKey{seed, step, 0, 0};
      for (int op = 0; op < 3; ++op) masks.insert(masked(0.5));
    }
  EXPECT_EQ(masks.size(), 2u * 3 * 3);
  t.random = RandomKey{2, 2, 0, 0};
  masks.insert(masked(0.5));
  EXPECT_EQ(masks.size(), 2u * 3 * 3);  // a repeated key gives the same mask
}

TEST_F(DropoutTest, IsANoOpOutsideTraining) {
  EXPECT_EQ(dropout(t, ones_, 0), ones_);
  t.training = false;
  EXPECT_EQ(dropout(t, ones_, 0.5), ones_);
  EXPECT_EQ(t.random.stream, 0u);
}

TEST_F(DropoutTest, RateIsChecked) {
  for (double rate : {-0.1, 1.0, std::nan("")}) EXPECT_ERROR(dropout(t, ones_, rate), Code::argument, "rate");
}

TEST(GatherLast, IndicesAreChecked) {
  Tape t(system_allocator(), DType::f64);
  for (int32_t bad : {-1, 3}) {
    const int32_t index[] = {0, bad};
    EXPECT_ERROR(gather_last(t, t.zeros({2, 3}), index, 1), Code::argument, "row 1");
  }
}

}  // namespace
}  // namespace libnf
