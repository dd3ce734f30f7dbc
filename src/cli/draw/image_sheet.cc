// See image_sheet.h.
#include "src/cli/draw/image_sheet.h"

#include <algorithm>
#include <cmath>

#include "src/cli/draw/font.h"

namespace cli {
namespace {
constexpr int kEdge = 10, kGap = 2, kTitleGap = 10;
constexpr Style kTitle{14, kInk};
constexpr double kWidestTitle = 320;
}  // namespace

void ImageSheet::add(std::span<const double> images, std::string title) {
  rows_.push_back({{images.begin(), images.end()}, std::move(title)});
}

std::vector<Color> ImageSheet::colors(std::span<const double> image) const {
  const auto channels = static_cast<size_t>(shape_.channels);
  const auto height = static_cast<size_t>(shape_.height), width = static_cast<size_t>(shape_.width);
  const size_t zoom = static_cast<size_t>(zoom_), columns = width * zoom;
  std::vector<Color> out(height * zoom * columns);
  for (size_t y = 0; y < height; ++y)
    for (size_t x = 0; x < width; ++x) {
      const double* at = &image[(y * width + x) * channels];
      const auto shade = [&](size_t channel) {
        return static_cast<float>(std::clamp((at[channel] - shades_.low) / (shades_.high - shades_.low), 0.0, 1.0));
      };
      const bool colored = channels >= 3;
      Color c{shade(0), shade(colored ? 1 : 0), shade(colored ? 2 : 0)};
      if (!std::all_of(at, at + (colored ? 3 : 1), [](double v) { return std::isfinite(v); })) c = kOrange;
      for (size_t row = 0; row < zoom; ++row) std::fill_n(&out[(y * zoom + row) * columns + x * zoom], zoom, c);
    }
  return out;
}

Canvas ImageSheet::draw() const {
  const auto tile_width = static_cast<int64_t>(zoom_) * shape_.width + kGap;
  const auto tile_height = static_cast<int64_t>(zoom_) * shape_.height + kGap;
  int64_t most = 0;
  double title = 0;
  for (const Row& row : rows_) {
    most = std::max(most, images_in(row));
    if (!row.title.empty()) title = std::max(title, std::min(text_width(row.title, kTitle), kWidestTitle) + kTitleGap);
  }
  const int64_t left = kEdge + static_cast<int64_t>(std::ceil(title)), kMost = int64_t{1} << 20;  // the canvas says no
  Canvas canvas(static_cast<int>(std::min(kMost, left + most * tile_width - kGap + kEdge)),
                static_cast<int>(std::min(kMost, 2 * kEdge + static_cast<int64_t>(rows_.size()) * tile_height - kGap)));
  for (size_t r = 0; r < rows_.size(); ++r) {
    const Row& row = rows_[r];
    const auto top = static_cast<double>(kEdge + static_cast<int64_t>(r) * tile_height);
    const double middle = top + static_cast<double>(tile_height - kGap) / 2;
    draw_text(canvas, {kEdge, middle + capital(kTitle) / 2}, shortened(row.title, kTitle, kWidestTitle), kTitle);
    for (int64_t i = 0; i < images_in(row); ++i) {
      const auto count = static_cast<size_t>(shape_.count());
      const std::vector<Color> all = colors({&row.images[static_cast<size_t>(i) * count], count});
      canvas.pixels({static_cast<double>(left + i * tile_width), top}, zoom_ * static_cast<int>(shape_.width), all);
    }
  }
  return canvas;
}

}  // namespace cli
