// See palette.h. Counts colors by the upper six bits of each channel, and cuts a box of colors along its longest edge
// so that half of its pixels are on each side.
#include "src/cli/draw/palette.h"

#include <algorithm>
#include <array>
#include <map>

namespace cli {
namespace {
uint32_t key(Rgb c) { return (c.r >> 2u) << 12u | (c.g >> 2u) << 6u | c.b >> 2u; }

struct Bin {
  uint64_t count = 0;
  std::array<uint64_t, 3> sum{};
  Rgb first;
  bool single = true;  // holds a single exact color
  double mean(size_t channel) const { return static_cast<double>(sum[channel]) / static_cast<double>(count); }
};

struct Cut {
  size_t from, to;  // bins
  uint64_t count = 0;
  size_t channel = 0;
  double extent = 0;
};

Cut measured(const std::vector<Bin>& bins, size_t from, size_t to) {
  Cut c{from, to};
  for (size_t i = from; i < to; ++i) c.count += bins[i].count;
  for (size_t channel = 0; channel < 3; ++channel) {
    double low = 256, high = -1;
    for (size_t i = from; i < to; ++i)
      low = std::min(low, bins[i].mean(channel)), high = std::max(high, bins[i].mean(channel));
    if (high - low > c.extent) c.extent = high - low, c.channel = channel;
  }
  return c;
}

Rgb mean_of(const std::vector<Bin>& bins, const Cut& c) {
  std::array<uint64_t, 3> sum{};
  for (size_t i = c.from; i < c.to; ++i)
    for (size_t channel = 0; channel < 3; ++channel) sum[channel] += bins[i].sum[channel];
  const auto part = [&](size_t channel) { return static_cast<uint8_t>((sum[channel] + c.count / 2) / c.count); };
  return {part(0), part(1), part(2)};
}

std::vector<Bin> bins_of(std::span<const Image> images) {
  std::vector<Bin> table(size_t{1} << 18);
  for (const Image& image : images)
    for (size_t i = 0; i + 2 < image.rgb.size(); i += 3) {
      const Rgb c{image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]};
      Bin& bin = table[key(c)];
      if (bin.count++ == 0) bin.first = c;
      bin.single = bin.single && bin.first == c;
      bin.sum[0] += c.r, bin.sum[1] += c.g, bin.sum[2] += c.b;
    }
  std::erase_if(table, [](const Bin& b) { return b.count == 0; });
  return table;
}
}  // namespace

std::vector<Rgb> palette_of(std::span<const Image> images, size_t size) {
  std::vector<Bin> bins = bins_of(images);
  if (bins.empty()) return {Rgb{}};
  uint64_t total = 0;
  for (const Bin& b : bins) total += b.count;
  // Keep the colors of large flat areas exactly, because a background that is off by one step is visible.
  std::vector<Rgb> palette;
  std::erase_if(bins, [&](const Bin& b) {
    const bool flat = b.single && b.count * 64 > total && palette.size() + 1 < size;
    if (flat) palette.push_back(b.first);
    return flat;
  });
  if (bins.empty()) return palette;
  std::vector<Cut> cuts{measured(bins, 0, bins.size())};
  while (cuts.size() + palette.size() < size) {
    const auto widest = std::max_element(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) {
      return a.extent * a.extent * static_cast<double>(a.count) < b.extent * b.extent * static_cast<double>(b.count);
    });
    if (widest->extent <= 0) break;
    const Cut c = *widest;
    std::sort(bins.begin() + static_cast<std::ptrdiff_t>(c.from), bins.begin() + static_cast<std::ptrdiff_t>(c.to),
              [&](const Bin& a, const Bin& b) { return a.mean(c.channel) < b.mean(c.channel); });
    uint64_t seen = 0;
    size_t middle = c.from;
    while (middle + 1 < c.to - 1 && seen + bins[middle].count <= c.count / 2) seen += bins[middle++].count;
    middle = std::max(middle, c.from + 1);
    *widest = measured(bins, c.from, middle);
    cuts.push_back(measured(bins, middle, c.to));
  }
  for (const Cut& c : cuts) palette.push_back(mean_of(bins, c));
  return palette;
}

uint8_t Indexer::nearest(Rgb c) {
  uint16_t& known = known_[key(c)];
  if (known != kUnknown && !(palette_[known] == c)) {
    // An exact color takes precedence over the first one of its cell.
    const auto exact = std::find(palette_.begin(), palette_.end(), c);
    if (exact != palette_.end()) return static_cast<uint8_t>(exact - palette_.begin());
  }
  if (known != kUnknown) return static_cast<uint8_t>(known);
  int best = 1 << 30;
  for (size_t i = 0; i < palette_.size(); ++i) {
    const int r = c.r - palette_[i].r, g = c.g - palette_[i].g, b = c.b - palette_[i].b;
    const int d = 2 * r * r + 4 * g * g + b * b;  // approximate perceptual weights
    if (d < best) best = d, known = static_cast<uint16_t>(i);
  }
  return static_cast<uint8_t>(known);
}

IndexedImage Indexer::operator()(const Image& image) {
  IndexedImage out{image.width, image.height, palette_, {}};
  out.indices.reserve(image.rgb.size() / 3);
  for (size_t i = 0; i + 2 < image.rgb.size(); i += 3)
    out.indices.push_back(nearest({image.rgb[i], image.rgb[i + 1], image.rgb[i + 2]}));
  return out;
}

}  // namespace cli
