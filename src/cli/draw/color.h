// Perceptual colors (OKLCH, Ottosson 2020: lightness, chroma, hue; equal steps look equal) and the color maps of the
// pictures. Components of a Color are sRGB, 0..1.
#pragma once
#include <cstdint>

namespace cli {

struct Color {
  float r = 0, g = 0, b = 0;
};

// Hue in degrees: 30 red, 90 yellow, 145 green, 255 blue, 325 purple. Reduces the chroma until sRGB can show it.
Color oklch(double lightness, double chroma, double hue);
double oklab_lightness(Color c);

// Sequential map from 0 (dark) to 1 (bright), t clamped. Lightness rises evenly, so that it also reads in gray.
Color sequential(double t);

// Color of a point of the plane: the angle sets the hue, the distance from 0 (in standard deviations) the chroma.
Color wheel(double x, double y);

constexpr Color kWhite{1, 1, 1};
constexpr Color kInk{0.13f, 0.15f, 0.19f};    // text
constexpr Color kMuted{0.36f, 0.39f, 0.44f};  // numbers and notes
constexpr Color kPale{0.55f, 0.58f, 0.63f};   // frames and ticks
constexpr Color kGrid{0.91f, 0.92f, 0.935f};  // lines behind the data
constexpr Color kBlue{0.11f, 0.36f, 0.66f};   // data
constexpr Color kFaintBlue{0.68f, 0.77f, 0.88f};
constexpr Color kOrange{0.87f, 0.40f, 0.09f};  // model

}  // namespace cli
