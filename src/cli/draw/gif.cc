// See gif.h.
#include "src/cli/draw/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

#include "src/cli/common/failure.h"
#include "src/cli/draw/palette.h"

namespace cli {
namespace {
constexpr uint8_t kTransparent = 255;  // the palette has at most 255 colors
constexpr int kBits = 8;

struct Part {
  int x0, y0, x1, y1;
};

Part changed(const IndexedImage& now, const IndexedImage& before) {
  Part p{now.width, now.height, 0, 0};
  for (int y = 0; y < now.height; ++y)
    for (int x = 0; x < now.width; ++x) {
      const size_t i = static_cast<size_t>(y) * static_cast<size_t>(now.width) + static_cast<size_t>(x);
      if (now.indices[i] == before.indices[i]) continue;
      p = {std::min(p.x0, x), std::min(p.y0, y), std::max(p.x1, x + 1), std::max(p.y1, y + 1)};
    }
  return p.x1 ? p : Part{0, 0, 1, 1};
}

struct FreeColors {
  void operator()(ColorMapObject* map) const { GifFreeMapObject(map); }
};

// A file in memory, written with giflib.
class Writer {
 public:
  Writer() {
    int error = 0;
    file_ = EGifOpen(&out_, append, &error);
    if (!file_) throw std::bad_alloc();  // nothing else can go wrong
    EGifSetGifVersion(file_, true);
  }
  ~Writer() {
    if (file_) EGifCloseFile(file_, nullptr);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void start(int width, int height, const std::vector<Rgb>& palette) {
    GifColorType colors[256] = {};
    for (size_t i = 0; i < palette.size(); ++i) colors[i] = {palette[i].r, palette[i].g, palette[i].b};
    const std::unique_ptr<ColorMapObject, FreeColors> map(GifMakeMapObject(256, colors));
    if (!map) throw std::bad_alloc();
    check(EGifPutScreenDesc(file_, width, height, kBits, 0, map.get()));
    constexpr uint8_t kEndless[] = {1, 0, 0};  // the "NETSCAPE2.0" extension: repeat 0 times, which means for ever
    check(EGifPutExtensionLeader(file_, APPLICATION_EXT_FUNC_CODE));
    check(EGifPutExtensionBlock(file_, 11, "NETSCAPE2.0"));
    check(EGifPutExtensionBlock(file_, sizeof kEndless, kEndless));
    check(EGifPutExtensionTrailer(file_));
  }

  void add(const IndexedImage& now, const IndexedImage* before, int centiseconds) {
    const Part p = before ? changed(now, *before) : Part{0, 0, now.width, now.height};
    GraphicsControlBlock control = {DISPOSE_DO_NOT, false, centiseconds, kTransparent};
    GifByteType bytes[4];
    EGifGCBToExtension(&control, bytes);
    check(EGifPutExtension(file_, GRAPHICS_EXT_FUNC_CODE, sizeof bytes, bytes));
    check(EGifPutImageDesc(file_, p.x0, p.y0, p.x1 - p.x0, p.y1 - p.y0, false, nullptr));
    std::vector<GifPixelType> line;
    for (int y = p.y0; y < p.y1; ++y) {
      line.clear();
      for (int x = p.x0; x < p.x1; ++x) {
        const size_t i = static_cast<size_t>(y) * static_cast<size_t>(now.width) + static_cast<size_t>(x);
        line.push_back(before && before->indices[i] == now.indices[i] ? kTransparent : now.indices[i]);
      }
      check(EGifPutLine(file_, line.data(), static_cast<int>(line.size())));
    }
  }

  std::vector<uint8_t> finish() {
    int error = 0;
    GifFileType* file = file_;
    file_ = nullptr;
    if (EGifCloseFile(file, &error) == GIF_ERROR) fail(error);
    return std::move(out_);
  }

 private:
  static int append(GifFileType* file, const GifByteType* bytes, int count) {
    auto& out = *static_cast<std::vector<uint8_t>*>(file->UserData);
    try {
      out.insert(out.end(), bytes, bytes + count);
      return count;
    } catch (const std::bad_alloc&) {
      return 0;
    }
  }
  [[noreturn]] static void fail(int error) {
    const char* why = GifErrorString(error);
    throw Failure(std::string("cannot encode the animation: ") + (why ? why : "unknown error of giflib"));
  }
  void check(int status) {
    if (status == GIF_ERROR) fail(file_->Error);
  }

  std::vector<uint8_t> out_;
  GifFileType* file_ = nullptr;
};
}  // namespace

void check_gif() {}

std::vector<uint8_t> gif(std::span<const Frame> frames) {
  // Compute the palette from some frames only; all show the same points.
  std::vector<Image> some;
  const size_t stride = std::max<size_t>(1, frames.size() / 16);
  for (size_t i = 0; i < frames.size(); i += stride) some.push_back(frames[i].image);
  some.push_back(frames.back().image);
  const std::vector<Rgb> palette = palette_of(some, kTransparent);
  Indexer indexer(palette);

  Writer writer;
  writer.start(frames[0].image.width, frames[0].image.height, palette);
  IndexedImage before;
  for (size_t i = 0; i < frames.size(); ++i) {
    IndexedImage now = indexer(frames[i].image);
    writer.add(now, i ? &before : nullptr, frames[i].centiseconds);
    before = std::move(now);
  }
  return writer.finish();
}

}  // namespace cli
