// Encodes images as PNG with libpng.
#pragma once
#include <cstdint>
#include <vector>

#include "src/cli/draw/canvas.h"
#include "src/cli/draw/palette.h"

namespace cli {

std::vector<uint8_t> png(const Image& image);         // true color
std::vector<uint8_t> png(const IndexedImage& image);  // at most 256 colors, a third of the size

}  // namespace cli
