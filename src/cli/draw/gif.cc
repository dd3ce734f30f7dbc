// See gif.h. LZW of the GIF89a specification: codes start at bits + 1 bits, grow to 12, then the table is cleared.
#include "src/cli/draw/gif.h"

#include <algorithm>

#include "src/cli/draw/palette.h"

namespace cli {
namespace {
constexpr uint8_t kTransparent = 255;  // the palette has at most 255 colors
constexpr int kBits = 8;

// Packs codes from the lowest bit up into blocks of at most 255 bytes, each preceded by its length.
class CodeWriter {
 public:
  void put(uint32_t code, int width) {
    held_ |= code << count_;
    for (count_ += width; count_ >= 8; count_ -= 8, held_ >>= 8) push(static_cast<uint8_t>(held_));
  }
  std::vector<uint8_t> finish() {
    if (count_ > 0) push(static_cast<uint8_t>(held_));
    flush();
    out_.push_back(0);
    return std::move(out_);
  }

 private:
  void push(uint8_t b) {
    block_.push_back(b);
    if (block_.size() == 255) flush();
  }
  void flush() {
    if (block_.empty()) return;
    out_.push_back(static_cast<uint8_t>(block_.size()));
    out_.insert(out_.end(), block_.begin(), block_.end());
    block_.clear();
  }
  std::vector<uint8_t> out_, block_;
  uint32_t held_ = 0;
  int count_ = 0;
};

// The strings seen so far as a tree: child[code][next index].
class Dictionary {
 public:
  explicit Dictionary(int bits) : size_(size_t{1} << bits), child_(4096 * size_) {}
  uint16_t& child(uint32_t code, uint8_t next) { return child_[code * size_ + next]; }
  void clear() { std::fill(child_.begin(), child_.end(), uint16_t{0}); }

 private:
  size_t size_;
  std::vector<uint16_t> child_;  // 0 is none (only a single index has code 0)
};

void put16(std::vector<uint8_t>& out, int v) {
  out.push_back(static_cast<uint8_t>(v & 255));
  out.push_back(static_cast<uint8_t>(v >> 8));
}

struct Window {
  int x0, y0, x1, y1;
};

Window changed(const IndexedImage& now, const IndexedImage& before) {
  Window w{now.width, now.height, 0, 0};
  for (int y = 0; y < now.height; ++y)
    for (int x = 0; x < now.width; ++x) {
      const size_t i = static_cast<size_t>(y) * static_cast<size_t>(now.width) + static_cast<size_t>(x);
      if (now.indices[i] == before.indices[i]) continue;
      w = {std::min(w.x0, x), std::min(w.y0, y), std::max(w.x1, x + 1), std::max(w.y1, y + 1)};
    }
  return w.x1 ? w : Window{0, 0, 1, 1};
}

void add_frame(std::vector<uint8_t>& out, const IndexedImage& now, const IndexedImage* before, int centiseconds) {
  const Window w = before ? changed(now, *before) : Window{0, 0, now.width, now.height};
  std::vector<uint8_t> indices;
  for (int y = w.y0; y < w.y1; ++y)
    for (int x = w.x0; x < w.x1; ++x) {
      const size_t i = static_cast<size_t>(y) * static_cast<size_t>(now.width) + static_cast<size_t>(x);
      indices.push_back(before && before->indices[i] == now.indices[i] ? kTransparent : now.indices[i]);
    }
  out.insert(out.end(),
             {0x21, 0xF9, 4, static_cast<uint8_t>(1 << 2 | 1)});  // keep the frame in place; has a transparent index
  put16(out, centiseconds);
  out.insert(out.end(), {kTransparent, 0, 0x2C});
  for (int v : {w.x0, w.y0, w.x1 - w.x0, w.y1 - w.y0}) put16(out, v);
  out.insert(out.end(), {0, kBits});
  const std::vector<uint8_t> codes = lzw(indices, kBits);
  out.insert(out.end(), codes.begin(), codes.end());
}
}  // namespace

std::vector<uint8_t> lzw(std::span<const uint8_t> indices, int bits) {
  const uint32_t clear = 1u << bits, end = clear + 1;
  CodeWriter out;
  Dictionary seen(bits);
  uint32_t next = end + 1;
  int width = bits + 1;
  out.put(clear, width);
  if (indices.empty()) {
    out.put(end, width);
    return out.finish();
  }
  uint32_t code = indices[0];
  for (const uint8_t index : indices.subspan(1)) {
    if (const uint16_t longer = seen.child(code, index)) {
      code = longer;
      continue;
    }
    out.put(code, width);
    if (next < 4096) {
      // The decoder adds an entry one code later, so grow the width when the new entry no longer fits.
      if (next == 1u << width) ++width;
      seen.child(code, index) = static_cast<uint16_t>(next++);
    } else {
      out.put(clear, width);
      seen.clear();
      next = end + 1;
      width = bits + 1;
    }
    code = index;
  }
  out.put(code, width);
  if (next == 1u << width && width < 12) ++width;
  out.put(end, width);
  return out.finish();
}

std::vector<uint8_t> gif(std::span<const Frame> frames) {
  // Compute the palette from some frames only; all show the same points.
  std::vector<Image> some;
  const size_t stride = std::max<size_t>(1, frames.size() / 16);
  for (size_t i = 0; i < frames.size(); i += stride) some.push_back(frames[i].image);
  some.push_back(frames.back().image);
  const std::vector<Rgb> palette = palette_of(some, kTransparent);
  Indexer indexer(palette);

  std::vector<uint8_t> out{'G', 'I', 'F', '8', '9', 'a'};
  put16(out, frames[0].image.width);
  put16(out, frames[0].image.height);
  out.insert(out.end(), {0xF7, 0, 0});  // a palette of 256, 8 bits per channel
  for (size_t i = 0; i < 256; ++i) {
    const Rgb c = i < palette.size() ? palette[i] : Rgb{};
    out.insert(out.end(), {c.r, c.g, c.b});
  }
  out.insert(out.end(), {0x21, 0xFF, 11, 'N', 'E', 'T', 'S', 'C', 'A', 'P', 'E', '2', '.', '0', 3, 1, 0, 0, 0});
  IndexedImage before;
  for (size_t i = 0; i < frames.size(); ++i) {
    IndexedImage now = indexer(frames[i].image);
    add_frame(out, now, i ? &before : nullptr, frames[i].centiseconds);
    before = std::move(now);
  }
  out.push_back(0x3B);
  return out;
}

}  // namespace cli
