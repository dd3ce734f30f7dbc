// Draws text as strokes with our own single-line alphabet (ASCII and a few signs), at any size, fitted to the pixel
// grid.
#pragma once
#include <string_view>

#include "src/cli/draw/canvas.h"

namespace cli {

enum class Align { left, center, right };

struct Style {
  double size = 15;  // font size; capitals are 0.7 of it high
  Color color = kInk;
  bool bold = false;
};

// Text is UTF-8; characters that the alphabet lacks become a box.
double text_width(std::string_view utf8, const Style& style);

// `at` is a point on the baseline.
void draw_text(Canvas& canvas, Spot at, std::string_view utf8, const Style& style, Align align = Align::left);
// Draws text upwards, for vertical axes; `at` is the middle of the baseline.
void draw_text_upwards(Canvas& canvas, Spot at, std::string_view utf8, const Style& style);

}  // namespace cli
