// Ticks at round numbers, the map from numbers to pixels, equal units on both axes.
#include "src/cli/draw/axes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cli {
namespace {
std::string labels(double low, double high, int most) {
  std::string out;
  for (const Tick& t : ticks({low, high}, most)) out += (out.empty() ? "" : " ") + t.label;
  return out;
}

TEST(Ticks, RoundNumbers) {
  EXPECT_EQ(labels(0, 1, 6), "0.0 0.2 0.4 0.6 0.8 1.0");
  EXPECT_EQ(labels(0, 1, 5), "0.0 0.5 1.0");
  EXPECT_EQ(labels(-4.2, 4.2, 9), "\u22124 \u22123 \u22122 \u22121 0 1 2 3 4");
  EXPECT_EQ(labels(0, 0.19, 6), "0.00 0.05 0.10 0.15");
  EXPECT_EQ(labels(9990, 10010, 5), "9990 9995 10000 10005 10010");
  EXPECT_EQ(labels(0, 2.5e-5, 3), "0 1e-05 2e-05");
  EXPECT_EQ(labels(0, 3e7, 4), "0 1e+07 2e+07 3e+07");
}

TEST(Ticks, NeverMoreThanAskedAndAlwaysInside) {
  for (double extent = 1e-7; extent < 1e8; extent *= 1.7)
    for (double low : {-0.37 * extent, 0.0, 12.3})
      for (int most = 2; most < 10; ++most) {
        const std::vector<Tick> all = ticks({low, low + extent}, most);
        EXPECT_LE(all.size(), size_t(most)) << low << " + " << extent;
        for (const Tick& t : all) {
          EXPECT_GE(t.value, low - 1e-6 * extent);
          EXPECT_LE(t.value, low + extent * (1 + 1e-6));
        }
      }
}

TEST(Ticks, NothingToMark) {
  EXPECT_TRUE(ticks({1, 1}, 5).empty());
  EXPECT_TRUE(ticks({0, std::nan("")}, 5).empty());
  EXPECT_TRUE(ticks({0, 1}, 0).empty());
}

TEST(Axes, NumbersToPixelsAndBack) {
  Canvas c(100, 100);
  const Axes axes(c, {10, 20, 60, 90}, {-1, 1}, {0, 7});
  const Spot low = axes.spot(-1, 0), high = axes.spot(1, 7);
  EXPECT_EQ(low.x, 10);
  EXPECT_EQ(low.y, 90);
  EXPECT_EQ(high.x, 60);
  EXPECT_EQ(high.y, 20);
  const Spot s = axes.spot(0.3, 2);
  EXPECT_NEAR(s.x, 42.5, 1e-9);
  EXPECT_NEAR(s.y, 70, 1e-9);
}

TEST(Axes, EqualUnits) {
  Range x{-1, 1}, y{0, 10};
  equal_units({0, 0, 200, 100}, x, y);
  EXPECT_NEAR(x.extent() / 200, y.extent() / 100, 1e-12);
  EXPECT_NEAR(x.low, -10, 1e-9);
  EXPECT_NEAR(x.high, 10, 1e-9);
  EXPECT_NEAR(y.extent(), 10, 1e-9);
}

TEST(Axes, FrameIsAroundTheBoxAndTicksBesideIt) {
  Canvas c(200, 200);
  Axes axes(c, {50, 30, 180, 160}, {0, 1}, {0, 1});
  axes.frame();
  EXPECT_LT(c.at(49, 100).g, 0.7);
  EXPECT_LT(c.at(180, 100).g, 0.7);
  EXPECT_LT(c.at(100, 29).g, 0.7);
  EXPECT_LT(c.at(100, 160).g, 0.7);
  EXPECT_EQ(c.at(100, 100).g, 1);   // nothing inside the box
  EXPECT_LT(c.at(50, 163).g, 0.7);  // the tick of x = 0
  EXPECT_LT(c.at(46, 160).g, 0.7);  // the tick of y = 0
}

TEST(Axes, ColorBarIsDarkBelow) {
  Canvas c(100, 200);
  color_bar(c, {20, 20, 40, 180}, {0, 2}, "");
  EXPECT_LT(oklab_lightness(c.at(30, 178)), 0.2);
  EXPECT_GT(oklab_lightness(c.at(30, 21)), 0.9);
  EXPECT_NEAR(oklab_lightness(c.at(30, 100)), 0.57, 0.02);
}

TEST(Axes, NoteGivesWayToTheTitle) {
  Canvas with(300, 80), without(300, 80);
  Axes a(with, {10, 40, 150, 70}, {0, 1}, {0, 1}), b(without, {10, 40, 150, 70}, {0, 1}, {0, 1});
  a.title("A long title of a panel");
  a.note("and a long note");
  b.title("A long title of a panel");
  EXPECT_EQ(with.image().rgb, without.image().rgb);
}
}  // namespace
}  // namespace cli
