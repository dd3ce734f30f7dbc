// Draws a plot's frame: ranges of numbers on a box of pixels, ticks at round numbers, names, titles, legends, color bars.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "src/cli/draw/canvas.h"
#include "src/cli/draw/font.h"
#include "src/cli/draw/ticks.h"

namespace cli {

// One side of a plot. Without a name it has only numbers.
struct Side {
  Range range;
  std::string name;
};

class Axes {
 public:
  Axes(Canvas& canvas, const Box& box, Side x, Side y)
      : canvas_(canvas), box_(box), x_(std::move(x)), y_(std::move(y)) {}
  Axes(Canvas& canvas, const Box& box, const Range& x, const Range& y) : Axes(canvas, box, Side{x, ""}, Side{y, ""}) {}

  const Box& box() const { return box_; }
  const Range& x() const { return x_.range; }
  const Range& y() const { return y_.range; }
  Spot spot(double x, double y) const;

  void grid();  // draw before the data
  void frame(bool below = true,
             bool left = true);  // draw after the data: outline, ticks, numbers and names of these sides
  void title(const std::string& words, bool bold = true);  // smaller or cut if it is too long
  void note(const std::string& words);    // small text to the right of the title; omitted if there is no room
  void corner(const std::string& words);  // small text inside the box, top right

  // Names of colors, drawn in a corner which the caller chooses to be an empty one.
  struct Entry {
    std::string words;
    Color color;
    bool area = false;  // a filled patch instead of a line
  };
  void legend(std::span<const Entry> entries, bool right, bool bottom);

  // Marks places where the data leaves the box, by triangles that point out of it.
  void mark_above(double x, Color color);
  void mark_below(double x, Color color);
  void mark_left(Color color);  // at the bottom
  void mark_right(Color color);

 private:
  Ticks ticks_x() const;  // as many as fit with their numbers
  Ticks ticks_y() const;
  Canvas& canvas_;
  Box box_;
  Side x_, y_;
  double titled_ = 0;  // width of the title in pixels
};

// Return the pixels that numbers and the name need as a margin left of a box of this height, or below a box.
double room_left(const Range& y, double height, bool name);
double room_below(bool name);

struct ColorBar {
  Range range;         // of the sequential map, from dark to bright
  std::string name;    // drawn upwards on the right
  bool above = false;  // values above the range were drawn in the brightest color: the bar ends in an arrow
  bool below = false;  // values below the range were drawn in the darkest color
};
// `box` is the bar itself; arrows and numbers are outside of it.
void color_bar(Canvas& canvas, const Box& box, const ColorBar& bar);
double room_right(const ColorBar& bar, double height);  // pixels that its numbers and name need

// Draws names of colors in a row from `at`, the left end of the baseline, as a picture's legend above or below panels.
void legend_row(Canvas& canvas, Spot at, std::span<const Axes::Entry> entries);

// Widens one of the ranges around its middle, so that a unit has the same length in both directions.
void equal_units(const Box& box, Range& x, Range& y);

}  // namespace cli
