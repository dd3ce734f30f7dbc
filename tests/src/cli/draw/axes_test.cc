// Frames: the map from numbers to pixels, ticks, names, marks, color bars, equal units on both axes.
#include "src/cli/draw/axes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cli {
namespace {
constexpr Color kBlack{0, 0, 0};
constexpr Range kUnit{0, 1};

// Part of a region that is not white.
double ink(const Canvas& c, const Box& b) {
  double sum = 0;
  for (int y = int(b.y0); y < int(b.y1); ++y)
    for (int x = int(b.x0); x < int(b.x1); ++x) sum += c.at(x, y).g < 0.98f;
  return sum / (b.width() * b.height());
}

TEST(Axes, NumbersToPixelsAndBack) {
  Canvas c(100, 100);
  const Axes axes(c, {10, 20, 60, 90}, Range{-1, 1}, Range{0, 7});
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
  Axes axes(c, {50, 30, 180, 160}, kUnit, kUnit);
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
  color_bar(c, {20, 20, 40, 180}, {{0, 2}, ""});
  EXPECT_LT(oklab_lightness(c.at(30, 178)), 0.2);
  EXPECT_GT(oklab_lightness(c.at(30, 21)), 0.9);
  EXPECT_NEAR(oklab_lightness(c.at(30, 100)), 0.57, 0.02);
}

TEST(Axes, ColorBarHasArrowsWhereColorsSaturate) {
  const Box above{22, 8, 38, 18}, below{22, 182, 38, 192};
  for (const bool high : {false, true})
    for (const bool low : {false, true}) {
      Canvas c(100, 200);
      color_bar(c, {20, 20, 40, 180}, {{0, 2}, "", high, low});
      EXPECT_EQ(ink(c, above) > 0.3, high);
      EXPECT_EQ(ink(c, below) > 0.3, low);
      if (high) {
        EXPECT_GT(oklab_lightness(c.at(30, 16)), 0.9);
      }
      if (low) {
        EXPECT_LT(oklab_lightness(c.at(30, 184)), 0.2);
      }
    }
}

TEST(Axes, ColorBarHasRoomForItsNumbersAndName) {
  const ColorBar bar{{0, 1.5e-7}, "density"};
  Canvas c(200, 200);
  color_bar(c, {20, 20, 40, 180}, bar);
  const double end = 40 + room_right(bar, 160);
  EXPECT_EQ(ink(c, {end, 0, 200, 200}), 0);
  EXPECT_GT(ink(c, {end - 20, 60, end, 140}), 0.1);
  EXPECT_GT(end, 40 + room_right({bar.range, ""}, 160) + 13);  // the height of letters
}

TEST(Axes, MarksPointOutOfTheBox) {
  Canvas c(200, 200);
  Axes axes(c, {50, 30, 180, 160}, kUnit, kUnit);
  axes.mark_above(0.5, kBlack);
  axes.mark_below(0.25, kBlack);
  axes.mark_left(kBlack);
  axes.mark_right(kBlack);
  EXPECT_LT(c.at(115, 36).g, 0.1);
  EXPECT_GT(c.at(111, 31).g, 0.9);  // narrow at the tip
  EXPECT_LT(c.at(82, 153).g, 0.1);
  EXPECT_LT(c.at(56, 151).g, 0.1);
  EXPECT_LT(c.at(174, 151).g, 0.1);
  EXPECT_EQ(ink(c, {0, 0, 50, 200}), 0);
  EXPECT_EQ(ink(c, {180, 0, 200, 200}), 0);
  EXPECT_EQ(ink(c, {0, 160, 200, 200}), 0);
  EXPECT_EQ(ink(c, {0, 0, 200, 30}), 0);
}

TEST(Axes, NamesStayBesideTheBox) {
  const std::string name(300, 'W');
  const Box box{90, 40, 220, 160};
  Canvas c(300, 260);
  Axes axes(c, box, {{0, 1}, name}, {{0, 1}, name});
  axes.frame();
  axes.title(name);
  EXPECT_GT(ink(c, {90, 180, 220, 200}), 0.1);
  EXPECT_EQ(ink(c, {0, 0, 86 - room_left({0, 1}, 120, true), 260}), 0);
  EXPECT_EQ(ink(c, {232, 0, 300, 260}), 0);
  EXPECT_EQ(ink(c, {0, 160 + room_below(true), 300, 260}), 0);
  EXPECT_EQ(ink(c, {0, 168, 80, 260}), 0);
}

TEST(Axes, FactorsFollowTheNameOrStandInTheBox) {
  const auto corner = [](const std::string& name) {
    Canvas c(300, 260);
    Axes axes(c, {90, 40, 290, 200}, {{0, 4e6}, name}, {{0, 1}, ""});
    axes.frame();
    return ink(c, {250, 180, 289, 199});
  };
  EXPECT_GT(corner(""), 0.1);
  EXPECT_EQ(corner("income"), 0);
}

TEST(Axes, SmallPanelsHaveMoreThanOneTick) {
  for (double extent = 1; extent < 10; extent += 0.1) {
    Canvas c(260, 220);
    Axes axes(c, {60, 40, 210, 190}, Range{-extent / 2, extent / 2}, Range{-extent / 2, extent / 2});
    axes.frame();
    int below = 0, left = 0;
    for (int x = 60; x < 210; ++x) below += c.at(x, 193).g < 0.7f;
    for (int y = 40; y < 190; ++y) left += c.at(56, y).g < 0.7f;
    EXPECT_GE(below, 2) << extent;
    EXPECT_GE(left, 2) << extent;
  }
}

TEST(Axes, NoteGivesWayToTheTitle) {
  Canvas with(300, 80), without(300, 80);
  Axes a(with, {10, 40, 150, 70}, kUnit, kUnit), b(without, {10, 40, 150, 70}, kUnit, kUnit);
  a.title("A long title of a panel");
  a.note("and a long note");
  b.title("A long title of a panel");
  EXPECT_EQ(with.image().rgb, without.image().rgb);
}
}  // namespace
}  // namespace cli
