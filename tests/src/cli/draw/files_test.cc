// Palettes, PNG and GIF: pictures survive a round trip. libpng reads PNG, the reader below reads GIF.
#include <gtest/gtest.h>
#include <png.h>

#include <random>

#include "src/cli/draw/gif.h"
#include "src/cli/draw/palette.h"
#include "src/cli/draw/png.h"

namespace cli {
namespace {
using Bytes = std::vector<uint8_t>;

// LZW decoder following the specification; `at` is the first sub-block, and moves past the last.
Bytes unpack(const Bytes& file, size_t& at, int bits) {
  Bytes data;
  for (; file.at(at) != 0; at += file[at] + 1u) data.insert(data.end(), &file[at + 1], &file[at + 1] + file[at]);
  ++at;
  const uint32_t clear = 1u << bits, end = clear + 1;
  std::vector<Bytes> table;
  Bytes out, last;
  int width = bits + 1;
  size_t bit = 0;
  for (;;) {
    uint32_t code = 0;
    for (int i = 0; i < width; ++i, ++bit) code |= uint32_t(data.at(bit / 8) >> (bit % 8) & 1) << i;
    if (code == end) {
      EXPECT_EQ((bit + 7) / 8, data.size()) << "bytes after the end";
      return out;
    }
    if (code == clear) {
      table.assign(end + 1, {});
      for (uint32_t i = 0; i < clear; ++i) table[i] = {uint8_t(i)};
      width = bits + 1;
      last.clear();
      continue;
    }
    Bytes now = code < table.size() ? table[code] : last;
    if (code >= table.size()) {
      if (code > table.size() || last.empty()) throw std::runtime_error("a code nobody has made");
      now.push_back(last[0]);
    }
    if (!last.empty() && table.size() < 4096) {
      last.push_back(now[0]);
      table.push_back(last);
      if (table.size() == 1u << width && width < 12) ++width;
    }
    out.insert(out.end(), now.begin(), now.end());
    last = now;
  }
}

void round_trip(const Bytes& indices, int bits) {
  const Bytes packed = lzw(indices, bits);
  size_t at = 0;
  EXPECT_EQ(unpack(packed, at, bits), indices) << indices.size() << " of " << bits << " bits";
  EXPECT_EQ(at, packed.size());
}

TEST(Lzw, RoundTrips) {
  std::mt19937 random(1);
  for (int bits : {2, 5, 8})
    for (size_t n : {0, 1, 2, 3, 5, 254, 255, 256, 300, 3837, 3838, 3839, 3840, 20000, 60000}) {
      Bytes noise(n), runs(n, 1), stairs(n);
      for (size_t i = 0; i < n; ++i) {
        noise[i] = uint8_t(random() & ((1u << bits) - 1));
        stairs[i] = uint8_t(i / 7 & ((1u << bits) - 1));
      }
      round_trip(noise, bits);
      round_trip(runs, bits);
      round_trip(stairs, bits);
    }
}

// Makes every change of the code width happen once at each possible length.
TEST(Lzw, EveryLengthAroundTheWidths) {
  std::mt19937 random(2);
  Bytes noise;
  for (size_t n = 0; n < 1100; ++n) {
    round_trip(noise, 2);
    if (n < 600) round_trip(noise, 8);
    noise.push_back(uint8_t(random() & 3));
  }
}

TEST(Lzw, RunsBecomeSmall) { EXPECT_LT(lzw(Bytes(100000, 7), 8).size(), 1000u); }

Image image_of(int width, int height, const std::vector<Rgb>& pixels) {
  Image image{width, height, {}};
  for (const Rgb& p : pixels) image.rgb.insert(image.rgb.end(), {p.r, p.g, p.b});
  return image;
}

// Plays the frames of a GIF one after another, as a viewer does.
std::vector<Image> play(const Bytes& f, std::vector<int>& delays) {
  EXPECT_EQ(std::string(f.begin(), f.begin() + 6), "GIF89a");
  const auto word = [&](size_t at) { return f.at(at) | f.at(at + 1) << 8; };
  const int width = word(6), height = word(8);
  EXPECT_EQ(f[10] & 0x87, 0x87);  // a palette of 256
  const size_t palette = 13;
  size_t at = palette + 3 * 256;
  std::vector<Image> frames;
  Image screen{width, height, Bytes(size_t(width) * size_t(height) * 3)};
  int transparent = -1;
  for (; f.at(at) != 0x3B;) {
    if (f[at] == 0x21 && f[at + 1] == 0xF9) {
      EXPECT_EQ(f[at + 3] >> 2 & 7, 1);  // leave in place
      delays.push_back(word(at + 4));
      transparent = f[at + 3] & 1 ? f[at + 6] : -1;
      at += 8;
    } else if (f[at] == 0x21) {
      for (at += 2; f.at(at) != 0;) at += f[at] + 1u;
      ++at;
    } else {
      EXPECT_EQ(f[at], 0x2C);
      const int x0 = word(at + 1), y0 = word(at + 3), w = word(at + 5), h = word(at + 7), bits = f[at + 10];
      at += 11;
      const Bytes indices = unpack(f, at, bits);
      EXPECT_EQ(indices.size(), size_t(w) * size_t(h));
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) {
          const int index = indices.at(size_t(y * w + x));
          if (index == transparent) continue;
          for (size_t c = 0; c < 3; ++c)
            screen.rgb.at(3 * size_t((y0 + y) * width + x0 + x) + c) = f[palette + 3 * size_t(index) + c];
        }
      frames.push_back(screen);
    }
  }
  EXPECT_EQ(at + 1, f.size());
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

Bytes read_png(const Bytes& file, int& width, int& height) {
  png_image head = {};
  head.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&head, file.data(), file.size())) << head.message;
  head.format = PNG_FORMAT_RGB;
  width = int(head.width);
  height = int(head.height);
  Bytes rgb(PNG_IMAGE_SIZE(head));
  EXPECT_TRUE(png_image_finish_read(&head, nullptr, rgb.data(), 0, nullptr)) << head.message;
  return rgb;
}

TEST(Png, ComesBack) {
  std::mt19937 random(3);
  Image image{37, 23, Bytes(37 * 23 * 3)};
  for (uint8_t& v : image.rgb) v = uint8_t(random());
  int width = 0, height = 0;
  EXPECT_EQ(read_png(png(image), width, height), image.rgb);
  EXPECT_EQ(width, 37);
  EXPECT_EQ(height, 23);
}

TEST(Png, IndexedComesBack) {
  const IndexedImage image{3, 2, {{255, 255, 255}, {10, 20, 30}}, {0, 1, 1, 0, 0, 1}};
  int width = 0, height = 0;
  EXPECT_EQ(read_png(png(image), width, height),
            (Bytes{255, 255, 255, 10, 20, 30, 10, 20, 30, 255, 255, 255, 255, 255, 255, 10, 20, 30}));
}
}  // namespace
}  // namespace cli
