// Palettes and GIF: animations survive a round trip. giflib reads them.
#include "src/cli/draw/gif.h"

#include <gif_lib.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "src/cli/draw/palette.h"

namespace cli {
namespace {
using Bytes = std::vector<uint8_t>;

Image image_of(int width, int height, const std::vector<Rgb>& pixels) {
  Image image{width, height, {}};
  for (const Rgb& p : pixels) image.rgb.insert(image.rgb.end(), {p.r, p.g, p.b});
  return image;
}

struct Input {
  const Bytes* bytes;
  size_t at = 0;
};

int read_some(GifFileType* file, GifByteType* to, int count) {
  auto& in = *static_cast<Input*>(file->UserData);
  const size_t n = std::min(static_cast<size_t>(count), in.bytes->size() - in.at);
  std::memcpy(to, in.bytes->data() + in.at, n);
  in.at += n;
  return static_cast<int>(n);
}

// Plays the frames of a GIF one after another, as a viewer does.
std::vector<Image> play(const Bytes& bytes, std::vector<int>& delays) {
  Input in{&bytes};
  const auto close = [](GifFileType* f) { DGifCloseFile(f, nullptr); };
  const std::unique_ptr<GifFileType, decltype(close)> file(DGifOpen(&in, read_some, nullptr), close);
  EXPECT_TRUE(file && DGifSlurp(file.get()) == GIF_OK);
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 6), "GIF89a");
  EXPECT_EQ(in.at, bytes.size());
  std::vector<Image> frames;
  Image screen{file->SWidth, file->SHeight, Bytes(size_t(file->SWidth) * size_t(file->SHeight) * 3)};
  for (int k = 0; k < file->ImageCount; ++k) {
    const SavedImage& part = file->SavedImages[k];
    GraphicsControlBlock control;
    EXPECT_EQ(DGifSavedExtensionToGCB(file.get(), k, &control), GIF_OK);
    EXPECT_EQ(control.DisposalMode, DISPOSE_DO_NOT);
    delays.push_back(control.DelayTime);
    const GifImageDesc& d = part.ImageDesc;
    for (int y = 0; y < d.Height; ++y)
      for (int x = 0; x < d.Width; ++x) {
        const int index = part.RasterBits[y * d.Width + x];
        if (index == control.TransparentColor) continue;
        const GifColorType& c = file->SColorMap->Colors[index];
        uint8_t* to = &screen.rgb.at(3 * size_t((d.Top + y) * screen.width + d.Left + x));
        to[0] = c.Red, to[1] = c.Green, to[2] = c.Blue;
      }
    frames.push_back(screen);
  }
  return frames;
}

TEST(Gif, FramesComeBack) {
  constexpr Rgb a{255, 255, 255}, b{200, 30, 10}, c{0, 90, 180};
  const std::vector<Frame> frames = {{image_of(3, 2, {a, a, b, a, c, a}), 70},
                                     {image_of(3, 2, {a, a, b, a, b, c}), 4},
                                     {image_of(3, 2, {a, a, b, a, b, c}), 5},  // nothing changes
                                     {image_of(3, 2, {c, c, c, a, b, c}), 160}};
  std::vector<int> delays;
  const std::vector<Image> shown = play(gif(frames), delays);
  ASSERT_EQ(shown.size(), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(shown[i].rgb, frames[i].image.rgb) << i;
  EXPECT_EQ(delays, (std::vector<int>{70, 4, 5, 160}));
}

TEST(Gif, UnchangedFramesAreSmall) {
  const Image still{200, 200, Bytes(200 * 200 * 3, 9)};
  const std::vector<Frame> one{{still, 4}};
  const std::vector<Frame> many(20, Frame{still, 4});
  EXPECT_LT(gif(many).size(), gif(one).size() + 19 * 40);
}

TEST(Palette, FewColorsAreExact) {
  const Image image = image_of(2, 2, {{1, 2, 3}, {1, 2, 2}, {250, 0, 9}, {1, 2, 3}});
  const IndexedImage indexed = Indexer(palette_of({&image, 1}, 256))(image);
  for (size_t i = 0; i < 4; ++i) {
    const Rgb c = indexed.palette[indexed.indices[i]];
    EXPECT_NEAR(c.r, image.rgb[3 * i], 1);  // neighboring colors in one cell share an entry
    EXPECT_NEAR(c.g, image.rgb[3 * i + 1], 1);
    EXPECT_NEAR(c.b, image.rgb[3 * i + 2], 1);
  }
}

TEST(Palette, ManyColorsAreNearAndTheBackgroundExact) {
  Image image{256, 256, {}};
  for (int y = 0; y < 256; ++y)
    for (int x = 0; x < 256; ++x)
      if (y < 64)
        image.rgb.insert(image.rgb.end(), {253, 254, 255});
      else
        image.rgb.insert(image.rgb.end(), {uint8_t(x), uint8_t(255 - x), uint8_t(y)});
  const std::vector<Rgb> palette = palette_of({&image, 1}, 200);
  EXPECT_LE(palette.size(), 200u);
  const IndexedImage indexed = Indexer(palette)(image);
  const Rgb background = indexed.palette[indexed.indices[0]];
  EXPECT_EQ(background, (Rgb{253, 254, 255}));
  double sum = 0;
  for (size_t i = 0; i < indexed.indices.size(); ++i) {
    const Rgb c = indexed.palette[indexed.indices[i]];
    sum +=
        std::abs(c.r - image.rgb[3 * i]) + std::abs(c.g - image.rgb[3 * i + 1]) + std::abs(c.b - image.rgb[3 * i + 2]);
  }
  EXPECT_LT(sum / double(indexed.indices.size()), 15);
}
}  // namespace
}  // namespace cli
