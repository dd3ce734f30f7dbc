// See color.h. The matrices are from the definition of OKLab: lab to cube roots of cone responses, cones to linear
// sRGB.
#include "src/cli/draw/color.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

namespace cli {
namespace {
struct Linear {
  double r, g, b;
};

Linear linear(double lightness, double chroma, double hue) {
  const double angle = hue * std::numbers::pi / 180, a = chroma * std::cos(angle), b = chroma * std::sin(angle);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

bool shows(Linear c) {
  constexpr double kSlack = 1e-4;
  return std::min({c.r, c.g, c.b}) >= -kSlack && std::max({c.r, c.g, c.b}) <= 1 + kSlack;
}

float encoded(double v) {
  v = std::clamp(v, 0.0, 1.0);
  return static_cast<float>(v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055);
}

double decoded(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }

struct Stop {
  double at, chroma, hue;
};
// Night blue, violet, red, orange, pale yellow; most chroma in the middle, where sRGB allows it.
constexpr Stop kStops[] = {{0, 0.045, 282},   {0.18, 0.13, 290}, {0.4, 0.185, 335}, {0.6, 0.19, 15},
                           {0.78, 0.155, 52}, {0.92, 0.135, 84}, {1, 0.07, 103}};
}  // namespace

Color oklch(double lightness, double chroma, double hue) {
  double low = 0, high = chroma;
  Linear c = linear(lightness, chroma, hue);
  if (!shows(c)) {
    for (int i = 0; i < 20; ++i) {
      const double middle = (low + high) / 2;
      (shows(linear(lightness, middle, hue)) ? low : high) = middle;
    }
    c = linear(lightness, low, hue);
  }
  return {encoded(c.r), encoded(c.g), encoded(c.b)};
}

double oklab_lightness(Color c) {
  const double r = decoded(c.r), g = decoded(c.g), b = decoded(c.b);
  const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
}

Color sequential(double t) {
  t = t > 0 ? std::min(t, 1.0) : 0;  // NaN is dark
  size_t i = 0;
  while (i + 2 < std::size(kStops) && t > kStops[i + 1].at) ++i;
  const Stop &a = kStops[i], &b = kStops[i + 1];
  const double u = (t - a.at) / (b.at - a.at);
  double turn = b.hue - a.hue;
  if (turn < -180) turn += 360;
  return oklch(0.17 + 0.80 * t, a.chroma + u * (b.chroma - a.chroma), a.hue + u * turn);
}

Color wheel(double x, double y) {
  const double strength = std::min(std::hypot(x, y) / 1.6, 1.0);
  return oklch(0.60 + 0.06 * strength, 0.18 * strength, std::atan2(y, x) * 180 / std::numbers::pi + 30);
}

}  // namespace cli
