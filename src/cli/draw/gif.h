// Animations as GIF files (GIF89a), by our own encoder: one palette for all frames, of each frame only what changed.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "src/cli/draw/canvas.h"

namespace nf::cli {

struct Frame {
  Image image;
  int centiseconds = 4;  // how long it stays
};

// Endless loop. All frames have the same size; at least one.
std::vector<uint8_t> gif(std::span<const Frame> frames);

// The code stream of a frame, in sub-blocks as the file has it; `bits` 2..8 is the size of an index. For gif() and tests.
std::vector<uint8_t> lzw(std::span<const uint8_t> indices, int bits);

}  // namespace nf::cli
