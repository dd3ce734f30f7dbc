// A picture in memory and the few shapes that plots are made of, all anti-aliased. Pixel (i, j) covers [i, i + 1) x
// [j, j + 1), y goes down. Blending is in sRGB, in float, so that thousands of faint points add up without steps.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "src/cli/draw/colour.h"

namespace nf::cli {

struct Spot {
  double x, y;
};

struct Box {
  double x0, y0, x1, y1;
  double width() const { return x1 - x0; }
  double height() const { return y1 - y0; }
};

// Eight bits per channel: what the file formats take.
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

class Canvas {
 public:
  Canvas(int width, int height, Colour background = kWhite);
  int width() const { return width_; }
  int height() const { return height_; }
  Colour at(int x, int y) const { return pixels_[index(x, y)]; }

  void clip(const Box& box);  // what follows is drawn inside only
  void unclip();

  void put(int x, int y, Colour c);
  void fill(const Box& box, Colour c, double alpha = 1);
  void outline(const Box& box, Colour c, double width = 1);
  void disc(Spot centre, double radius, Colour c, double alpha = 1);
  // One stroke with round ends and joints; where it crosses itself it is not darker. Paths of fewer than two points, and
  // segments at or after a point that is not finite, are left out.
  void stroke(std::span<const Spot> path, double width, Colour c, double alpha = 1);
  void strokes(std::span<const std::vector<Spot>> paths, double width, Colour c, double alpha = 1);

  Image image() const;

 private:
  size_t index(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
  }
  void blend(int x, int y, Colour c, double alpha);

  int width_, height_;
  int left_ = 0, top_ = 0, right_, bottom_;
  std::vector<Colour> pixels_;
  std::vector<float> mask_;  // scratch of strokes
};

}  // namespace nf::cli
