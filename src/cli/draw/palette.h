// Reduces images to a few colors with a palette that fits them (median cut, Heckbert 1982).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "src/cli/draw/canvas.h"

namespace cli {

struct Rgb {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Rgb&) const = default;
};

struct IndexedImage {
  int width = 0, height = 0;
  std::vector<Rgb> palette;
  std::vector<uint8_t> indices;
};

// Returns at most `size` colors (1..256). Colors that fill large areas, such as white, are kept exactly.
std::vector<Rgb> palette_of(std::span<const Image> images, size_t size);

// Maps every pixel to the nearest color of the palette.
class Indexer {
 public:
  explicit Indexer(std::vector<Rgb> palette) : palette_(std::move(palette)), known_(size_t{1} << 18, kUnknown) {}
  IndexedImage operator()(const Image& image);

 private:
  static constexpr uint16_t kUnknown = 0xFFFF;
  uint8_t nearest(Rgb c);
  std::vector<Rgb> palette_;
  std::vector<uint16_t> known_;  // cache by the upper six bits of each channel
};

}  // namespace cli
