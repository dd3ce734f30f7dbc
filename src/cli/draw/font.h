// Text drawn as strokes: our own single-line alphabet of ASCII and a few signs, at any size, fitted to the pixel grid.
#pragma once
#include <string_view>

#include "src/cli/draw/canvas.h"

namespace nf::cli {

enum class Align { left, centre, right };

struct Style {
  double size = 15;  // as of a printed font: capitals are 0.7 of it high
  Colour colour = kInk;
  bool bold = false;
};

// UTF-8; what the alphabet lacks becomes a box.
double text_width(std::string_view utf8, const Style& style);

// `at` is a point of the baseline.
void draw_text(Canvas& canvas, Spot at, std::string_view utf8, const Style& style, Align align = Align::left);
// Upwards, for vertical axes; `at` is the middle of the baseline, which is to the right of the text's left edge.
void draw_text_upwards(Canvas& canvas, Spot at, std::string_view utf8, const Style& style);

}  // namespace nf::cli
