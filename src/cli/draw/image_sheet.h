// Images side by side: rows of them, which may have titles, drawn pixel for pixel or larger.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "src/cli/draw/canvas.h"

namespace cli {

struct ImageShape {
  int64_t height = 0, width = 0, channels = 0;
  int64_t count() const { return height * width * channels; }
};

// The values that are drawn black and white; those beyond are drawn like them.
struct Shades {
  double low = 0, high = 1;
};

// Three channels are red, green and blue, one is gray; of any other number only the first three, or the first, are drawn.
// Values that are not finite are orange.
class ImageSheet {
 public:
  // Every pixel becomes a square of `zoom` pixels of the picture.
  ImageSheet(const ImageShape& shape, const Shades& shades, int zoom) : shape_(shape), shades_(shades), zoom_(zoom) {}

  // Adds a row of images [n, height, width, channels] under those there are.
  void add(std::span<const double> images, std::string title = {});
  Canvas draw() const;

 private:
  struct Row {
    std::vector<double> images;
    std::string title;
  };
  int64_t images_in(const Row& row) const { return static_cast<int64_t>(row.images.size()) / shape_.count(); }
  std::vector<Color> colors(std::span<const double> image) const;

  ImageShape shape_;
  Shades shades_;
  int zoom_;
  std::vector<Row> rows_;
};

}  // namespace cli
