// Shapes: how much ink they leave, where, and that they stay inside the clip rectangle.
#include "src/cli/draw/canvas.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cli {
namespace {
constexpr Color kBlack{0, 0, 0};

double ink(const Canvas& c) {  // total, in pixels
  double sum = 0;
  for (int y = 0; y < c.height(); ++y)
    for (int x = 0; x < c.width(); ++x) sum += 1 - static_cast<double>(c.at(x, y).g);
  return sum;
}

TEST(Canvas, FillCoversFractionsOfPixels) {
  Canvas c(10, 10);
  c.fill({2.25, 3, 5.5, 6.5}, kBlack);
  EXPECT_NEAR(ink(c), 3.25 * 3.5, 1e-5);
  EXPECT_NEAR(c.at(2, 3).g, 0.25, 1e-6);
  EXPECT_NEAR(c.at(5, 6).g, 0.75, 1e-6);
  EXPECT_EQ(c.at(3, 4).g, 0);
  EXPECT_EQ(c.at(1, 3).g, 1);
}

TEST(Canvas, DiscHasItsArea) {
  for (double radius : {1.5, 3.0, 10.0}) {
    Canvas c(40, 40);
    c.disc({20.3, 19.8}, radius, kBlack);
    EXPECT_NEAR(ink(c) / (M_PI * radius * radius), 1, 0.05) << radius;
  }
}

TEST(Canvas, StrokeHasLengthTimesWidth) {
  Canvas c(60, 60);
  const Spot path[] = {{10, 10}, {40, 50}};  // length 50
  c.stroke(path, 3, kBlack);
  EXPECT_NEAR(ink(c) / (50 * 3 + M_PI * 1.5 * 1.5), 1, 0.03);
}

TEST(Canvas, ThinStrokesAreFaint) {
  Canvas c(20, 20);
  const Spot path[] = {{2, 10.5}, {18, 10.5}};
  c.stroke(path, 0.25, kBlack);
  EXPECT_NEAR(c.at(10, 10).g, 0.75, 1e-6);
}

TEST(Canvas, StrokesAreNotDarkerWhereTheyCross) {
  Canvas c(20, 20);
  const Spot path[] = {{2, 2}, {18, 18}, {18, 2}, {2, 18}};
  c.stroke(path, 3, kBlack, 0.5);
  float darkest = 1;
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x) darkest = std::min(darkest, c.at(x, y).g);
  EXPECT_NEAR(darkest, 0.5, 1e-6);
}

TEST(Canvas, FaintPointsAddUp) {
  Canvas c(5, 5);
  for (int i = 0; i < 100; ++i) c.disc({2.5, 2.5}, 1.5, kBlack, 0.01);
  EXPECT_NEAR(c.at(2, 2).g, std::pow(0.99, 100), 1e-4);
}

TEST(Canvas, NothingOutsideTheClipOrThePicture) {
  Canvas c(20, 20);
  c.clip({5, 5, 15, 15});
  const Spot path[] = {{-100, 10}, {1e9, 10}};
  c.stroke(path, 4, kBlack);
  c.disc({5, 5}, 4, kBlack);
  c.fill({-50, 13, 50, 99}, kBlack);
  c.put(4, 4, kBlack);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(c.at(i, 4).g, 1);
    EXPECT_EQ(c.at(4, i).g, 1);
    EXPECT_EQ(c.at(i, 15).g, 1);
    EXPECT_EQ(c.at(15, i).g, 1);
  }
  EXPECT_EQ(c.at(9, 9).g, 0);
  c.unclip();
  c.put(0, 0, kBlack);
  EXPECT_EQ(c.at(0, 0).g, 0);
}

TEST(Canvas, PointsThatAreNotFiniteAreLeftOut) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  Canvas c(10, 10);
  c.disc({kNan, 5}, 2, kBlack);
  c.disc({5, -kInf}, 2, kBlack);
  const Spot path[] = {{1, 5.5}, {kNan, 5.5}, {8, kInf}, {9, 5.5}};
  c.stroke(path, 1, kBlack);
  EXPECT_EQ(ink(c), 0);
  const Spot broken[] = {{1, 5.5}, {4, 5.5}, {kNan, 5.5}, {7, 5.5}, {9, 5.5}};  // a gap
  c.stroke(broken, 1, kBlack);
  EXPECT_EQ(c.at(3, 5).g, 0);
  EXPECT_EQ(c.at(8, 5).g, 0);
  EXPECT_EQ(c.at(5, 5).g, 1);
}

TEST(Canvas, ImageIsRowMajorAndRounded) {
  Canvas c(3, 2, {1, 0.5f, 0});
  c.put(2, 1, {0, 0, 1});
  const Image image = c.image();
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.rgb,
            (std::vector<uint8_t>{255, 128, 0, 255, 128, 0, 255, 128, 0, 255, 128, 0, 255, 128, 0, 0, 0, 255}));
}
}  // namespace
}  // namespace cli
