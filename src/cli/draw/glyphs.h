// The alphabet of font.cc. The baseline is y = 0, capitals and digits are 7 high, small letters 5, descenders reach -2.
#pragma once
#include <cstdint>

namespace cli {

// A path: M x y moves, L x y draws a line, C cx cy x y draws a quarter of an ellipse in the corner (cx, cy).
struct Glyph {
  char32_t code;
  float width;
  const char* path;
};

const Glyph& glyph_of(char32_t code);  // a box if there is no glyph

}  // namespace cli
