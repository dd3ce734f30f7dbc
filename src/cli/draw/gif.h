// Encodes animations as GIF files with giflib: one palette for all frames and only the changed part of each frame.
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

void check_gif();  // Failure if nf was built without giflib

// Loops endlessly. All frames have the same size; at least one frame.
std::vector<uint8_t> gif(std::span<const Frame> frames);

}  // namespace cli
