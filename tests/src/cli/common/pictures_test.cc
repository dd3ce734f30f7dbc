// PNG pictures as data: every kind of pixels that is read, those that are refused, files cut short and damaged, folders.
#include "src/cli/common/pictures.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "src/cli/common/failure.h"

namespace cli {
namespace {

using Bytes = std::vector<uint8_t>;

// A writer of its own, so that the reader is not checked against itself.
struct Picture {
  int64_t width, height;
  int color = 0, depth = 8;  // 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA
  Bytes samples;             // one per channel, whatever the depth; indices of a palette
  Bytes palette = {}, transparency = {};
  bool interlaced = false;

  int64_t channels() const { return color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 1; }
};

void add32(std::string& to, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(v >> shift & 255);
}

void add_chunk(std::string& to, const std::string& kind, const std::string& body) {
  add32(to, static_cast<uint32_t>(body.size()));
  const std::string content = kind + body;
  to += content;
  add32(to, static_cast<uint32_t>(
                ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()))));
}

std::string string_of(const Bytes& p) { return {p.begin(), p.end()}; }

// The scan lines of every dx-th pixel from x0 of every dy-th row from y0.
std::string lines(const Picture& p, int64_t x0, int64_t y0, int64_t dx, int64_t dy) {
  std::string out;
  for (int64_t y = y0; y < p.height && x0 < p.width; y += dy) {
    out += '\0';  // no filter
    unsigned bits = 0;
    int filled = 0;
    for (int64_t x = x0; x < p.width; x += dx)
      for (int64_t c = 0; c < p.channels(); ++c) {
        const unsigned v = p.samples[static_cast<size_t>((y * p.width + x) * p.channels() + c)];
        if (p.depth == 16) out += static_cast<char>(v);
        bits = bits << std::min(p.depth, 8) | v;
        filled += std::min(p.depth, 8);
        if (filled < 8) continue;
        out += static_cast<char>(bits);
        bits = 0;
        filled = 0;
      }
    if (filled) out += static_cast<char>(bits << (8 - filled));
  }
  return out;
}

std::string png(const Picture& p) {
  std::string file = "\x89PNG\r\n\x1A\n", head;
  add32(head, static_cast<uint32_t>(p.width));
  add32(head, static_cast<uint32_t>(p.height));
  head += {static_cast<char>(p.depth), static_cast<char>(p.color), 0, 0, static_cast<char>(p.interlaced)};
  add_chunk(file, "IHDR", head);
  if (!p.palette.empty()) add_chunk(file, "PLTE", string_of(p.palette));
  if (!p.transparency.empty()) add_chunk(file, "tRNS", string_of(p.transparency));
  std::string raw;
  if (p.interlaced)
    for (const auto& [x, y, dx, dy] :
         {std::array{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}})
      raw += lines(p, x, y, dx, dy);
  else
    raw = lines(p, 0, 0, 1, 1);
  uLongf size = compressBound(raw.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size());
  packed.resize(size);
  add_chunk(file, "IDAT", packed);
  add_chunk(file, "IEND", "");
  return file;
}

Bytes samples(int64_t count, int levels = 256) {
  Bytes s;
  for (int64_t i = 0; i < count; ++i) s.push_back(static_cast<uint8_t>((37 * i + 11) % levels));
  return s;
}

// Expects a Failure whose message or hint has these words.
template <class F>
void fails(const F& f, const std::string& words) {
  try {
    f();
  } catch (const Failure& e) {
    const std::string said = std::string(e.what()) + "\n" + e.hint;
    EXPECT_NE(said.find(words), std::string::npos) << said;
    return;
  }
  ADD_FAILURE() << "no failure: " << words;
}

TEST(Png, EveryKindOfPixels) {
  for (const bool interlaced : {false, true})
    for (const auto& [w, h] : {std::pair<int64_t, int64_t>{1, 1}, {3, 5}, {17, 2}, {9, 11}}) {
      SCOPED_TRACE(std::to_string(w) + " x " + std::to_string(h) + (interlaced ? " interlaced" : ""));
      for (const int color : {0, 2}) {
        const Picture p{w, h, color, 8, samples(w * h * (color ? 3 : 1)), {}, {}, interlaced};
        const Pixels read = parse_png(png(p), "x.png");
        EXPECT_EQ(read.bytes, p.samples);
        EXPECT_EQ(read.height, h);
        EXPECT_EQ(read.width, w);
        EXPECT_EQ(read.channels, color ? 3 : 1);
      }
      for (const int depth : {1, 2, 4}) {
        const int levels = 1 << depth;
        const Picture gray{w, h, 0, depth, samples(w * h, levels), {}, {}, interlaced};
        Bytes want;
        for (const uint8_t v : gray.samples) want.push_back(static_cast<uint8_t>(v * 255 / (levels - 1)));
        EXPECT_EQ(parse_png(png(gray), "x.png").bytes, want);
        const Picture indexed{w, h, 3, depth, gray.samples, samples(3 * levels), {}, interlaced};
        want.clear();
        for (const uint8_t v : indexed.samples)
          for (size_t c = 0; c < 3; ++c) want.push_back(indexed.palette[3u * v + c]);
        EXPECT_EQ(parse_png(png(indexed), "x.png").bytes, want);
      }
    }
}

TEST(Png, RefusesWhatWouldBeRounded) {
  const auto refused = [](const Picture& p, const char* says) { fails([&] { parse_png(png(p), "x.png"); }, says); };
  refused({2, 2, 0, 16, samples(4)}, "x.png: damaged or unusual PNG: it has 16 bits per channel; convert it to 8 bits");
  refused({2, 2, 4, 8, samples(8)}, "transparent pixels");
  refused({2, 2, 6, 8, samples(16)}, "transparent pixels");
  refused({2, 2, 3, 8, samples(4, 2), samples(6), {0, 255}}, "transparent pixels");
}

TEST(Png, CutAndDamagedFilesFail) {
  const std::string whole = png({9, 7, 2, 8, samples(9 * 7 * 3)});
  const Bytes want = parse_png(whole, "x.png").bytes;
  // The last chunk says that the picture is whole.
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_THROW(parse_png(whole.substr(0, n), "x.png"), Failure) << n;
  for (size_t n = 0; n < whole.size(); ++n)
    for (const char bit : {1, 64}) {
      std::string damaged = whole;
      damaged[n] = static_cast<char>(damaged[n] ^ bit);
      // Behind the signature a checksum covers every byte, so no other picture comes back.
      try {
        EXPECT_EQ(parse_png(damaged, "x.png").bytes, want) << n;
      } catch (const Failure&) {
      }
    }
  // A header that promises more than the file can hold takes no memory for it.
  const std::string small = png({1, 1, 2, 8, samples(3)});
  std::string head;
  add32(head, 1000000);
  add32(head, 1000000);
  head += {8, 2, 0, 0, 0};
  std::string huge = small.substr(0, 8);
  add_chunk(huge, "IHDR", head);
  fails([&] { parse_png(huge + small.substr(33), "x.png"); }, "ends too early");
}

class PictureFolder : public testing::Test {
 protected:
  // A path of its own for every call: what was read is remembered.
  std::string folder() {
    static int count = 0;
    path_ = testing::TempDir() + "nf_pictures_" + std::to_string(::getpid()) + "_" + std::to_string(count++);
    std::filesystem::create_directory(path_);
    made_.push_back(path_);
    return path_;
  }
  void put(const std::string& name, const std::string& content) {
    std::ofstream(path_ + "/" + name, std::ios::binary) << content;
  }
  void TearDown() override {
    for (const std::string& path : made_) std::filesystem::remove_all(path);
  }
  std::string path_;
  std::vector<std::string> made_;
};

TEST_F(PictureFolder, PicturesAreInTheOrderOfTheirNames) {
  const std::string path = folder();
  for (const char* name : {"b.png", "a.PNG", "c.png"})
    put(name, png({3, 2, 2, 8, Bytes(18, static_cast<uint8_t>(name[0]))}));
  put("notes.txt", "not a picture");
  put(".hidden.png", "nor this");
  EXPECT_TRUE(holds_pictures(path));
  EXPECT_TRUE(holds_pictures(path + "/b.png"));
  EXPECT_FALSE(holds_pictures(path + "/notes.txt"));
  EXPECT_FALSE(holds_pictures(path + "/none"));
  const Pictures& all = read_pictures(path);
  EXPECT_EQ(all.names, (std::vector<std::string>{"a.PNG", "b.png", "c.png"}));
  EXPECT_EQ(all.npy.size() % 64, 54u) << "64-byte head, then 3 x 18 bytes";
  EXPECT_NE(all.npy.find("(3, 2, 3, 3)"), std::string::npos);
  EXPECT_EQ(all.npy.substr(all.npy.size() - 54), std::string(18, 'a') + std::string(18, 'b') + std::string(18, 'c'));
  EXPECT_EQ(read_pictures(path + "/b.png").names, std::vector<std::string>{"b.png"});
}

TEST_F(PictureFolder, FoldersAreClasses) {
  const std::string path = folder();
  for (const char* name : {"/dogs", "/cats", "/.git"}) std::filesystem::create_directory(path + name);
  put("dogs/a.png", png({3, 2, 0, 8, Bytes(6, 'd')}));
  put("cats/z.png", png({3, 2, 0, 8, Bytes(6, 'z')}));
  put("cats/b.png", png({3, 2, 0, 8, Bytes(6, 'b')}));
  put("notes.txt", "not a picture");
  const Pictures& all = read_pictures(path);
  EXPECT_EQ(all.names, (std::vector<std::string>{"cats/b.png", "cats/z.png", "dogs/a.png"}));
  EXPECT_EQ(all.classes, (std::vector<std::string>{"cats", "dogs"}));
  EXPECT_EQ(all.labels, (std::vector<int32_t>{0, 0, 1}));
  EXPECT_EQ(all.npy.substr(all.npy.size() - 18), std::string(6, 'b') + std::string(6, 'z') + std::string(6, 'd'));
}

TEST_F(PictureFolder, OddFoldersAreRefused) {
  const auto refused = [&](const char* says) { fails([&] { read_pictures(path_); }, says); };
  folder();
  refused("is a folder without .png files");
  std::filesystem::create_directory(path_ + "/cats");
  refused("cats has none either");
  put("a.png", png({3, 2, 2, 8, samples(18)}));
  put("b.png", png({3, 2, 0, 8, samples(6)}));
  refused("b.png has 2 x 3 x 1 pixels and channels, but a.png has 2 x 3 x 3");
  put("b.png", png({3, 2, 2, 8, samples(18)}).substr(0, 60));
  refused("b.png: damaged or unusual PNG: the file ends too early");
  put("b.png", "");
  refused("b.png is not a PNG file");
  std::filesystem::remove(path_ + "/b.png");
  std::filesystem::create_symlink(path_ + "/nowhere", path_ + "/b.png");
  refused("b.png");
}

}  // namespace
}  // namespace cli
