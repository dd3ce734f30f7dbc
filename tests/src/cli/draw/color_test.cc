// Color maps: even steps in lightness, no kinks, distinguishable hues for directions.
#include "src/cli/draw/color.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cli {
namespace {
double distance(Color a, Color b) { return std::hypot(a.r - b.r, a.g - b.g, a.b - b.b); }

TEST(Color, KnownColors) {
  const Color white = oklch(1, 0, 0), red = oklch(0.62796, 0.25768, 29.234);  // sRGB's pure red
  EXPECT_LT(distance(white, kWhite), 1e-3);
  EXPECT_LT(distance(red, {1, 0, 0}), 0.01);
  EXPECT_NEAR(oklab_lightness({1, 0, 0}), 0.62796, 1e-4);
  EXPECT_NEAR(oklab_lightness({0.5f, 0.5f, 0.5f}), 0.5982, 1e-3);
}

TEST(Color, TooMuchChromaLosesChromaNotLightness) {
  for (double hue = 0; hue < 360; hue += 15) {
    const Color c = oklch(0.7, 0.5, hue);
    EXPECT_NEAR(oklab_lightness(c), 0.7, 0.01) << hue;
  }
}

TEST(Color, SequentialRisesEvenlyInLightness) {
  constexpr int kSteps = 100;
  for (int i = 0; i <= kSteps; ++i) {
    const double t = i / double(kSteps);
    EXPECT_NEAR(oklab_lightness(sequential(t)), 0.17 + 0.80 * t, 0.006) << t;
    if (i > 0) {
      EXPECT_LT(distance(sequential(t), sequential(t - 1.0 / kSteps)), 0.045) << t;
    }
  }
}

TEST(Color, SequentialClamps) {
  EXPECT_EQ(distance(sequential(-1), sequential(0)), 0);
  EXPECT_EQ(distance(sequential(7), sequential(1)), 0);
  EXPECT_EQ(distance(sequential(std::numeric_limits<double>::quiet_NaN()), sequential(0)), 0);
}

TEST(Color, WheelTellsDirectionsApart) {
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < i; ++j) {
      const double a = i * M_PI / 4, b = j * M_PI / 4;
      EXPECT_GT(distance(wheel(2 * std::cos(a), 2 * std::sin(a)), wheel(2 * std::cos(b), 2 * std::sin(b))), 0.12);
    }
  EXPECT_LT(distance(wheel(1e-9, 0), wheel(-1e-9, 0)), 0.01);  // the center is gray
}
}  // namespace
}  // namespace cli
