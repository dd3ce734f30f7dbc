// A picture in memory and the few anti-aliased shapes that plots need. Pixel (i, j) covers [i, i + 1) x [j, j + 1), and
// y points down. Blending is in sRGB and float, so that thousands of faint points add up smoothly.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "src/cli/draw/color.h"

namespace cli {

struct Spot {
  double x, y;
};

struct Box {
  double x0, y0, x1, y1;
  double width() const { return x1 - x0; }
  double height() const { return y1 - y0; }
};

// Eight bits per channel, as the file formats need.
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

class Canvas {
 public:
  Canvas(int width, int height, Color background = kWhite);
  int width() const { return width_; }
  int height() const { return height_; }
  Color at(int x, int y) const { return pixels_[index(x, y)]; }

  void clip(const Box& box);  // restricts later drawing to the box
  void unclip();

  void put(int x, int y, Color c);
  void fill(const Box& box, Color c, double alpha = 1);
  void outline(const Box& box, Color c, double width = 1);
  void disc(Spot center, double radius, Color c, double alpha = 1);
  // Draws one stroke with round ends and joints; it is not darker where it crosses itself. Skips paths of fewer than
  // two points, and segments next to a point that is not finite.
  void stroke(std::span<const Spot> path, double width, Color c, double alpha = 1);
  void strokes(std::span<const std::vector<Spot>> paths, double width, Color c, double alpha = 1);

  Image image() const;

 private:
  size_t index(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
  }
  void blend(int x, int y, Color c, double alpha);

  int width_, height_;
  int left_ = 0, top_ = 0, right_, bottom_;
  std::vector<Color> pixels_;
  std::vector<float> mask_;  // scratch memory for strokes
};

}  // namespace cli
