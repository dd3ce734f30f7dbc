// Encodes animations as GIF files (GIF89a), with one palette for all frames and only the changed part of each frame.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "src/cli/draw/canvas.h"

namespace cli {

struct Frame {
  Image image;
  int centiseconds = 4;  // duration of the frame
};

// Loops endlessly. All frames have the same size; at least one frame.
std::vector<uint8_t> gif(std::span<const Frame> frames);

// Returns the code stream of a frame in sub-blocks; `bits` (2..8) is the size of an index. For gif() and tests.
std::vector<uint8_t> lzw(std::span<const uint8_t> indices, int bits);

}  // namespace cli
