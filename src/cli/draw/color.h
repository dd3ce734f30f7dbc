// Colours by how they look: OKLCH (Ottosson 2020: lightness, chroma, hue; equal steps look equal), and the maps that the
// pictures use. Components of a Colour are sRGB, 0..1.
#pragma once
#include <cstdint>

namespace nf::cli {

struct Colour {
  float r = 0, g = 0, b = 0;
};

// Hue in degrees: 30 red, 90 yellow, 145 green, 255 blue, 325 purple. Chroma is lowered until the screen can show it.
Colour oklch(double lightness, double chroma, double hue);
double oklab_lightness(Colour c);

// Sequential, 0 dark to 1 bright, t clamped: lightness rises evenly, so that it reads the same in grey.
Colour sequential(double t);

// A point of the plane: its angle is the hue, its distance from 0 (in standard deviations) the strength.
Colour wheel(double x, double y);

constexpr Colour kWhite{1, 1, 1};
constexpr Colour kInk{0.13f, 0.15f, 0.19f};    // text and frames
constexpr Colour kPale{0.55f, 0.58f, 0.63f};   // ticks and notes
constexpr Colour kGrid{0.91f, 0.92f, 0.935f};  // lines behind the data
constexpr Colour kBlue{0.11f, 0.36f, 0.66f};   // data
constexpr Colour kFaintBlue{0.68f, 0.77f, 0.88f};
constexpr Colour kOrange{0.87f, 0.40f, 0.09f};  // model

}  // namespace nf::cli
