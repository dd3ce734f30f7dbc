// Shapes: how much ink they leave, where, and that they stay inside the clip rectangle.
#include "src/cli/draw/canvas.h"

#include <cairo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/cli/common/failure.h"

namespace cli {
namespace {
constexpr Color kBlack{0, 0, 0};
constexpr double kStep = 1.0 / 255;  // pixels have eight bits

double ink(const Canvas& c) {  // total, in pixels
  double sum = 0;
  for (int y = 0; y < c.height(); ++y)
    for (int x = 0; x < c.width(); ++x) sum += 1 - static_cast<double>(c.at(x, y).g);
  return sum;
}

TEST(Canvas, FillCoversFractionsOfPixels) {
  Canvas c(10, 10);
  c.fill({2.25, 3, 5.5, 6.5}, kBlack);
  EXPECT_NEAR(ink(c), 3.25 * 3.5, 15 * kStep);  // of as many pixels at the edges
  EXPECT_NEAR(c.at(2, 3).g, 0.25, kStep);
  EXPECT_NEAR(c.at(5, 6).g, 0.75, kStep);
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
  EXPECT_NEAR(c.at(10, 10).g, 0.75, 1.0 / 15);  // cairo samples 15 lines of a pixel
}

TEST(Canvas, StrokesAreNotDarkerWhereTheyCross) {
  Canvas c(20, 20);
  const Spot path[] = {{2, 2}, {18, 18}, {18, 2}, {2, 18}};
  c.stroke(path, 3, kBlack, 0.5);
  float darkest = 1;
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x) darkest = std::min(darkest, c.at(x, y).g);
  EXPECT_NEAR(darkest, 0.5, kStep);
}

TEST(Canvas, FaintPointsAddUp) {
  Canvas c(5, 5);
  double expected = 1;
  for (int i = 0; i < 20; ++i) {
    c.disc({2.5, 2.5}, 1.5, kBlack, 0.12);  // the faintest that plots use
    expected *= 1 - 0.12;
    // Each is rounded to half a step, and later ones cover 0.12 of that: at most 0.5 / 0.12 steps in total.
    EXPECT_NEAR(c.at(2, 2).g, expected, 0.5 / 0.12 * kStep);
  }
}

TEST(Canvas, NothingOutsideTheClipOrThePicture) {
  Canvas c(20, 20);
  c.clip({5, 5, 15, 15});
  const Spot path[] = {{-100, 10}, {1e9, 10}};
  c.stroke(path, 4, kBlack);
  c.disc({5, 5}, 4, kBlack);
  c.fill({-50, 13, 50, 99}, kBlack);
  const std::vector<Color> many(400, kBlack);
  c.pixels({14, 14}, 20, many);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(c.at(i, 4).g, 1);
    EXPECT_EQ(c.at(4, i).g, 1);
    EXPECT_EQ(c.at(i, 15).g, 1);
    EXPECT_EQ(c.at(15, i).g, 1);
  }
  EXPECT_EQ(c.at(9, 9).g, 0);
  EXPECT_EQ(c.at(14, 14).g, 0);
  c.unclip();
  c.fill({0, 0, 1, 1}, kBlack);
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
  const Spot corners[] = {{1, 1}, {kNan, 5}, {9, 1}};
  c.polygon(corners, kBlack);
  c.fill({1, kNan, 3, 4}, kBlack);
  EXPECT_EQ(ink(c), 0);
  const Spot broken[] = {{1, 5.5}, {4, 5.5}, {kNan, 5.5}, {7, 5.5}, {9, 5.5}};  // a gap
  c.stroke(broken, 1, kBlack);
  EXPECT_EQ(c.at(3, 5).g, 0);
  EXPECT_EQ(c.at(8, 5).g, 0);
  EXPECT_EQ(c.at(5, 5).g, 1);
}

// cairo's numbers wrap around at 2^23 pixels.
TEST(Canvas, WhatIsFarAwayLeavesNoTrace) {
  constexpr double kWrap = 1 << 24;
  Canvas c(40, 40);
  c.disc({20 + kWrap, 20}, 5, kBlack);
  c.disc({20, 20 - kWrap}, 5, kBlack);
  c.fill({10 + kWrap, 10, 20 + kWrap, 20}, kBlack);
  const Spot corners[] = {{5 + kWrap, 5}, {15 + kWrap, 5}, {10 + kWrap, 25}};
  c.polygon(corners, kBlack);
  const Spot beyond[] = {{-kWrap, -1e3}, {kWrap, -1e3}};
  c.stroke(beyond, 4, kBlack);
  EXPECT_EQ(ink(c), 0);
  const Spot across[] = {{-3e12, 20 - 3e12}, {3e12, 20 + 3e12}};  // y = x + 20
  c.stroke(across, 1, kBlack);
  EXPECT_LT(c.at(10, 30).g, 0.5);
  EXPECT_NEAR(ink(c), 20 * std::sqrt(2), 3);
  c.fill({-1e300, 0, 1e300, 1}, kBlack);
  EXPECT_EQ(c.at(39, 0).g, 0);
}

TEST(Canvas, PolygonHasItsArea) {
  Canvas c(40, 40);
  const Spot corners[] = {{5, 5}, {35, 5}, {5, 25}};
  c.polygon(corners, kBlack);
  EXPECT_NEAR(ink(c), 300, 2);
}

TEST(Canvas, PixelsAreCopied) {
  Canvas c(10, 10);
  const Color colors[] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 0}};
  c.pixels({3.2, 4.8}, 2, colors);  // at (3, 5)
  EXPECT_EQ(c.at(3, 5).r, 1);
  EXPECT_EQ(c.at(3, 5).g, 0);
  EXPECT_EQ(c.at(4, 5).g, 1);
  EXPECT_EQ(c.at(3, 6).b, 1);
  EXPECT_EQ(c.at(4, 6).r, 0);
  EXPECT_EQ(c.at(5, 5).b, 1);
  EXPECT_EQ(c.at(5, 5).r, 1);
}

TEST(Canvas, TooLarge) {
  EXPECT_THROW(Canvas(40000, 10), Failure);
  EXPECT_THROW(Canvas(10, 32768), Failure);
}

struct Input {
  std::vector<uint8_t> bytes;
  size_t at = 0;
};

cairo_status_t read_some(void* from, unsigned char* to, unsigned int count) {
  auto& in = *static_cast<Input*>(from);
  if (in.bytes.size() - in.at < count) return CAIRO_STATUS_READ_ERROR;
  std::memcpy(to, in.bytes.data() + in.at, count);
  in.at += count;
  return CAIRO_STATUS_SUCCESS;
}

TEST(Canvas, PngKeepsThePixels) {
  Canvas c(30, 20);
  c.disc({12, 9}, 7, {0.2f, 0.6f, 0.9f}, 0.7);
  Input in{c.png()};
  EXPECT_EQ(in.bytes, c.png());
  cairo_surface_t* read = cairo_image_surface_create_from_png_stream(read_some, &in);
  ASSERT_EQ(cairo_surface_status(read), CAIRO_STATUS_SUCCESS);
  const Image image = c.image();
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 30; ++x) {
      uint32_t pixel = 0;
      std::memcpy(&pixel, cairo_image_surface_get_data(read) + y * cairo_image_surface_get_stride(read) + 4 * x, 4);
      const size_t i = 3 * size_t(y * 30 + x);
      EXPECT_EQ(pixel & 0xFFFFFF, uint32_t(image.rgb[i] << 16 | image.rgb[i + 1] << 8 | image.rgb[i + 2]));
    }
  cairo_surface_destroy(read);
}

TEST(Canvas, ImageIsRowMajorAndRounded) {
  Canvas c(3, 2, {1, 0.5f, 0});
  c.fill({2, 1, 3, 2}, {0, 0, 1});
  const Image image = c.image();
  EXPECT_EQ(image.width, 3);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.rgb,
            (std::vector<uint8_t>{255, 128, 0, 255, 128, 0, 255, 128, 0, 255, 128, 0, 255, 128, 0, 0, 0, 255}));
}
}  // namespace
}  // namespace cli
