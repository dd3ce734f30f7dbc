// A picture in memory and the few shapes that plots need, drawn with cairo. Pixel (i, j) covers [i, i + 1) x [j, j + 1),
// and y points down. Shapes may be anywhere, also far outside the picture; spots that are not finite are skipped.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "src/cli/draw/color.h"

struct _cairo;  // cairo_t

namespace cli {

struct Spot {
  double x, y;
};

struct Box {
  double x0, y0, x1, y1;
  double width() const { return x1 - x0; }
  double height() const { return y1 - y0; }
};

// Eight bits per channel, row by row from the top.
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

class Canvas {
 public:
  // Failure if the picture is larger than cairo draws (32,767 pixels in a direction).
  Canvas(int width, int height, Color background = kWhite);
  int width() const { return width_; }
  int height() const { return height_; }
  Color at(int x, int y) const;

  void clip(const Box& box);  // restricts later drawing to the box, rounded to whole pixels
  void unclip();

  // Copies colors, row by row, `columns` in each, to the pixels right and down of a corner, which is rounded.
  void pixels(Spot corner, int columns, std::span<const Color> colors);
  void fill(const Box& box, Color c, double alpha = 1);
  void outline(const Box& box, Color c, double width = 1);  // around the box
  void disc(Spot center, double radius, Color c, double alpha = 1);
  void polygon(std::span<const Spot> corners, Color c, double alpha = 1);
  // Draws one stroke with round ends and joints; it is not darker where it crosses itself. Skips paths of fewer than
  // two points, and segments next to a point that is not finite.
  void stroke(std::span<const Spot> path, double width, Color c, double alpha = 1);

  Image image() const;
  std::vector<uint8_t> png() const;

  _cairo* context() const { return cairo_.get(); }  // for text

 private:
  struct Free {
    void operator()(_cairo* c) const;
  };
  const uint32_t* row(int y) const;
  bool reaches(Spot center, double radius) const;

  int width_, height_;
  Box clip_;
  std::unique_ptr<_cairo, Free> cairo_;
};

}  // namespace cli
