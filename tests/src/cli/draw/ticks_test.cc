// Round numbers on axes, and how many digits labels have.
#include "src/cli/draw/ticks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cli {
namespace {
std::string labels(const Range& range, int most) {
  const Ticks all = ticks(range, most);
  std::string out;
  for (const Tick& t : all.marks) out += (out.empty() ? "" : " ") + t.label;
  return out + (all.factor.empty() ? "" : " | " + all.factor);
}

TEST(Ticks, RoundNumbers) {
  EXPECT_EQ(labels({0, 1}, 6), "0.0 0.2 0.4 0.6 0.8 1.0");
  EXPECT_EQ(labels({0, 1}, 5), "0.0 0.5 1.0");
  EXPECT_EQ(labels({-4.2, 4.2}, 9), "\u22124 \u22123 \u22122 \u22121 0 1 2 3 4");
  EXPECT_EQ(labels({0, 0.19}, 6), "0.00 0.05 0.10 0.15");
  EXPECT_EQ(labels({9990, 10010}, 5), "9990 9995 10000 10005 10010");
  EXPECT_EQ(labels({1990, 2020}, 4), "1990 2000 2010 2020");
}

TEST(Ticks, LabelsLeaveOutPowersOfTen) {
  EXPECT_EQ(labels({0, 2.5e-5}, 3), "0 10 20 | \u00d710\u207b\u2076");
  EXPECT_EQ(labels({0, 3e7}, 4), "0 10 20 30 | \u00d710\u2076");
  EXPECT_EQ(labels({0, 250000}, 6), "0 50 100 150 200 250 | \u00d710\u00b3");
  EXPECT_EQ(labels({-3e-9, 3e-9}, 4), "\u22122 0 2 | \u00d710\u207b\u2079");
}

TEST(Ticks, LabelsLeaveOutTheDigitsTheyShare) {
  EXPECT_EQ(labels({1.6e9, 1.6e9 + 100}, 6), "0 20 40 60 80 100 | +1,600,000,000");
  for (double low : {1.6e9, -1.6e9, 123456.789, 1e-3, 1e15}) {
    const Ticks all = ticks({low, low + 1e-7 * std::abs(low)}, 6);
    ASSERT_GE(all.marks.size(), 2u) << low;
    for (size_t i = 1; i < all.marks.size(); ++i) EXPECT_NE(all.marks[i].label, all.marks[i - 1].label) << low;
    for (const Tick& t : all.marks) EXPECT_LE(t.label.size(), 9u) << low;
  }
}

TEST(Ticks, NotCloserThanTheGrain) {
  EXPECT_EQ(labels({-0.4, 3.4, 1}, 9), "0 1 2 3");
  EXPECT_EQ(labels({-0.4, 3.4, 0}, 9), "0.0 0.5 1.0 1.5 2.0 2.5 3.0");
  EXPECT_EQ(labels({5.05, 5.45, 0.1}, 9), "5.1 5.2 5.3 5.4");
  EXPECT_EQ(labels({0.2, 0.8, 1}, 9), "");  // no whole number in it
  EXPECT_EQ(labels({-0.4, 3.4, 1000}, 9), "0");
}

TEST(Ticks, NeverMoreThanAskedAndAlwaysInside) {
  for (double extent = 1e-7; extent < 1e8; extent *= 1.7)
    for (double low : {-0.37 * extent, 0.0, 12.3})
      for (int most = 2; most < 10; ++most) {
        const Ticks all = ticks({low, low + extent}, most);
        EXPECT_LE(all.marks.size(), size_t(most)) << low << " + " << extent;
        for (const Tick& t : all.marks) {
          EXPECT_GE(t.value, low - 1e-6 * extent);
          EXPECT_LE(t.value, low + extent * (1 + 1e-6));
        }
      }
}

TEST(Ticks, NothingToMark) {
  constexpr double kMax = std::numeric_limits<double>::max(), kInf = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(ticks({1, 1}, 5).marks.empty());
  EXPECT_TRUE(ticks({0, std::nan("")}, 5).marks.empty());
  EXPECT_TRUE(ticks({0, 1}, 0).marks.empty());
  EXPECT_TRUE(ticks({-kMax, kMax}, 5).marks.empty());
  EXPECT_TRUE(ticks({0, kInf}, 5).marks.empty());
  EXPECT_TRUE(ticks({1e18, std::nextafter(1e18, kInf)}, 5).marks.empty());
  EXPECT_LE(ticks({-4e307, 4e307}, 5).marks.size(), 5u);
}

TEST(Grain, WhatAllValuesAreMultiplesOf) {
  const auto grain = [](std::vector<double> values) { return grain_of(values); };
  EXPECT_EQ(grain({1, 2, 3}), 1);
  EXPECT_EQ(grain({0, 0}), 0);
  EXPECT_EQ(grain({}), 0);
  EXPECT_EQ(grain({100, 2300}), 100);
  EXPECT_NEAR(grain({5.1, 4.9, 7}), 0.1, 1e-12);
  EXPECT_NEAR(grain({double(5.1f), double(0.25f)}), 0.01, 1e-12);
  EXPECT_EQ(grain({1.0 / 3}), 0);
  EXPECT_EQ(grain({std::nan(""), 2, std::numeric_limits<double>::infinity()}), 1);
  EXPECT_EQ(grain({double(16777217.3f), 0.3}), 0);  // rounding to float32 would hide the decimals
}

TEST(Rounded, ToTheResolution) {
  EXPECT_EQ(rounded(0.93417, 0.01), "0.93");
  EXPECT_EQ(rounded(-12.3456, 0.5), "\u221212.3");
  EXPECT_EQ(rounded(1234.5, 10), "1234");
  EXPECT_EQ(rounded(-0.001, 0.1), "0.0");
  EXPECT_EQ(rounded(std::numeric_limits<double>::infinity(), 1), "\u221e");
  EXPECT_EQ(rounded(1e300, 0.1), "1e+300");
}
}  // namespace
}  // namespace cli
