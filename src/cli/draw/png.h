// Images as PNG files, by libpng.
#pragma once
#include <cstdint>
#include <vector>

#include "src/cli/draw/canvas.h"
#include "src/cli/draw/palette.h"

namespace nf::cli {

std::vector<uint8_t> png(const Image& image);         // every colour as it is
std::vector<uint8_t> png(const IndexedImage& image);  // of at most 256 colours: a third of the size

}  // namespace nf::cli
