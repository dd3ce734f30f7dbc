// Sheets of images: where each pixel of each image is, shades, colors, and titles.
#include "src/cli/draw/image_sheet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/cli/common/failure.h"

namespace cli {
namespace {
constexpr int kEdge = 10, kGap = 2;

TEST(ImageSheet, PixelsAreWhereTheyBelong) {
  ImageSheet sheet({2, 3, 1}, {0, 255}, 4);
  std::vector<double> images;
  for (int i = 0; i < 24; ++i) images.push_back(10 * i);  // four images, of all different pixels
  sheet.add({images.data(), 12});
  sheet.add({images.data() + 12, 12});
  const Canvas c = sheet.draw();
  EXPECT_EQ(c.width(), 2 * kEdge + 2 * 3 * 4 + kGap);
  EXPECT_EQ(c.height(), 2 * kEdge + 2 * 2 * 4 + kGap);
  for (int i = 0; i < 24; ++i) {
    const int image = i / 6, y = i % 6 / 3, x = i % 3;
    const int left = kEdge + image % 2 * (12 + kGap) + 4 * x, top = kEdge + image / 2 * (8 + kGap) + 4 * y;
    for (const auto& [dx, dy] : {std::pair{0, 0}, {3, 3}}) {
      const Color at = c.at(left + dx, top + dy);
      EXPECT_NEAR(at.r, 10 * i / 255.0, 1e-6) << i;
      EXPECT_EQ(at.r, at.b);
    }
  }
  EXPECT_EQ(c.at(kEdge + 12, kEdge).r, 1) << "the gap";
}

TEST(ImageSheet, ThreeChannelsAreColors) {
  ImageSheet sheet({1, 2, 3}, {-1, 1}, 1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> images{1, -1, -9, 0.0, 9, -1, nan, 0, 0, 0, 0, 0};
  sheet.add(images);
  const Canvas c = sheet.draw();
  const auto is = [&](int x, Color want) {
    const Color at = c.at(kEdge + x, kEdge);
    EXPECT_NEAR(at.r, want.r, 0.003) << x;
    EXPECT_NEAR(at.g, want.g, 0.003) << x;
    EXPECT_NEAR(at.b, want.b, 0.003) << x;
  };
  is(0, {1, 0, 0});
  is(1, {0.5f, 1, 0});
  is(2 + kGap, kOrange);
  is(3 + kGap, {0.5f, 0.5f, 0.5f});
}

TEST(ImageSheet, TitlesStandLeftOfTheirRow) {
  ImageSheet sheet({8, 8, 2}, {0, 1}, 2), untitled = sheet;
  const std::vector<double> images(3 * 128, 0.25);
  sheet.add(images, "T = 0.5");
  sheet.add({images.data(), 128});
  untitled.add(images);
  const Canvas c = sheet.draw();
  const int shift = c.width() - untitled.draw().width();
  EXPECT_GT(shift, 40);
  double ink = 0;
  for (int y = 0; y < c.height(); ++y)
    for (int x = kEdge; x < kEdge + shift - 8; ++x) {
      const double here = 1 - static_cast<double>(c.at(x, y).g);
      if (y < kEdge + 16)
        ink += here;
      else
        EXPECT_EQ(here, 0) << x << " " << y;
    }
  EXPECT_GT(ink, 20);
  EXPECT_NEAR(c.at(kEdge + shift, kEdge).g, 0.25, 0.003);
  EXPECT_EQ(c.at(kEdge + shift + 16 + kGap, kEdge + 16 + kGap).g, 1) << "the second row has one image";
}

TEST(ImageSheet, SizesHaveALimit) {
  ImageSheet sheet({1, 4000, 1}, {0, 1}, 64);
  const std::vector<double> image(4000);
  sheet.add(image);
  EXPECT_THROW(sheet.draw(), Failure);
  EXPECT_EQ(ImageSheet({2, 2, 1}, {0, 1}, 1).draw().width(), 2 * kEdge - kGap) << "no images";
}

}  // namespace
}  // namespace cli
