// See png.h. Uses the simplified interface of libpng, which does not longjmp.
#include "src/cli/draw/png.h"

#include <png.h>

#include <string>

#include "src/cli/common/failure.h"

namespace cli {
namespace {
std::vector<uint8_t> encode(png_uint_32 format, int width, int height, const uint8_t* pixels, const void* colors,
                            size_t count) {
  png_image head = {};
  head.version = PNG_IMAGE_VERSION;
  head.width = static_cast<png_uint_32>(width);
  head.height = static_cast<png_uint_32>(height);
  head.format = format;
  head.colormap_entries = static_cast<png_uint_32>(count);
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(head);
  std::vector<uint8_t> out(bytes);
  if (!png_image_write_to_memory(&head, out.data(), &bytes, 0, pixels, 0, colors))
    throw Failure(std::string("cannot encode the picture: ") + head.message);
  out.resize(bytes);
  return out;
}
}  // namespace

std::vector<uint8_t> png(const Image& image) {
  return encode(PNG_FORMAT_RGB, image.width, image.height, image.rgb.data(), nullptr, 0);
}

std::vector<uint8_t> png(const IndexedImage& image) {
  std::vector<uint8_t> colors;
  for (const Rgb& c : image.palette) colors.insert(colors.end(), {c.r, c.g, c.b});
  return encode(PNG_FORMAT_RGB_COLORMAP, image.width, image.height, image.indices.data(), colors.data(),
                image.palette.size());
}

}  // namespace cli
