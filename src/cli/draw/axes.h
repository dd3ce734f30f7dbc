// Draws a plot's frame: ranges of numbers on a box of pixels, ticks at round numbers, labels, titles, color bars.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "src/cli/draw/canvas.h"
#include "src/cli/draw/font.h"

namespace cli {

struct Range {
  double low = 0, high = 1;
  double extent() const { return high - low; }
};

struct Tick {
  double value;
  std::string label;  // all labels of an axis have the same number of decimals
};

// Returns at most `most` round numbers in the range, spaced by 1, 2 or 5 times a power of ten.
std::vector<Tick> ticks(const Range& range, int most);

class Axes {
 public:
  Axes(Canvas& canvas, const Box& box, const Range& x, const Range& y) : canvas_(canvas), box_(box), x_(x), y_(y) {}

  const Box& box() const { return box_; }
  const Range& x() const { return x_; }
  const Range& y() const { return y_; }
  Spot spot(double x, double y) const;
  double value_x(double pixel) const { return x_.low + (pixel - box_.x0) / box_.width() * x_.extent(); }
  double value_y(double pixel) const { return y_.high - (pixel - box_.y0) / box_.height() * y_.extent(); }

  void grid();   // draw before the data
  void frame();  // draw after the data: outline, ticks and their numbers
  void title(const std::string& words, bool bold = true);
  void note(const std::string& words);  // small text to the right of the title; omitted if there is no room
  void labels(const std::string& x, const std::string& y);
  // Draws names of colors in a corner, which the caller chooses to be an empty one.
  struct Entry {
    std::string words;
    Color color;
  };
  void legend(std::span<const Entry> entries, bool right, bool bottom);

 private:
  std::vector<Tick> ticks_x() const;  // as many as fit with their numbers
  std::vector<Tick> ticks_y() const;
  Canvas& canvas_;
  Box box_;
  Range x_, y_;
  double titled_ = 0;  // width of the title in pixels
};

// Returns the pixels that the numbers (and the vertical label) left of a box of this height need as a margin.
double room_left(const Range& y, double height, bool label);

// Draws a vertical bar of the sequential map from range.low (bottom) to range.high, with numbers to the right.
void color_bar(Canvas& canvas, const Box& box, const Range& range, const std::string& title);

// Widens one of the ranges around its middle, so that a unit has the same length in both directions.
void equal_units(const Box& box, Range& x, Range& y);

}  // namespace cli
