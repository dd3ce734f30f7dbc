// Draws text with cairo: DejaVu Sans, or the sans-serif font that fontconfig prefers. A machine without any font gets
// the strokes built into cairo, which only have ASCII; other characters are then spelled out or become "?".
#pragma once
#include <string>
#include <string_view>

#include "src/cli/draw/canvas.h"

namespace cli {

enum class Align { left, center, right };

struct Style {
  double size = 14;  // font size; capitals are 0.73 of it high
  Color color = kInk;
  bool bold = false;
};

bool font_found();  // false: the strokes built into cairo are used

double capital(const Style& style);  // height of capitals and digits in pixels

// Text is UTF-8; invalid bytes are shown as U+FFFD, control characters as spaces. Returns pixels.
double text_width(std::string_view utf8, const Style& style);

// Returns the text, cut and with an ellipsis if it is wider than `width` pixels.
std::string shortened(std::string_view utf8, const Style& style, double width);

// `at` is a point on the baseline, rounded to whole pixels so that stems stay sharp.
void draw_text(Canvas& canvas, Spot at, std::string_view utf8, const Style& style, Align align = Align::left);
// Draws text upwards, for vertical axes; `at` is the middle of the baseline.
void draw_text_upwards(Canvas& canvas, Spot at, std::string_view utf8, const Style& style);

}  // namespace cli
