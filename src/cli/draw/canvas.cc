// See canvas.h. cairo computes in fixed point with 24 bits before the point, so that numbers beyond 8 million wrap around:
// nothing far from the picture is handed to it.
#include "src/cli/draw/canvas.h"

#include <cairo.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <numbers>

#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr int kMost = 32767;    // pixels, cairo's limit
constexpr double kFar = 1000;   // pixels from the picture, where a stroke may be cut without a trace
constexpr double kCurve = 0.1;  // pixels between a curve and the polygon drawn for it

bool finite(Spot s) { return std::isfinite(s.x) && std::isfinite(s.y); }

uint32_t packed(Color c) {
  const auto byte = [](float v) { return static_cast<uint32_t>(std::lround(255 * std::clamp(v, 0.0f, 1.0f))); };
  return byte(c.r) << 16 | byte(c.g) << 8 | byte(c.b);
}

void ink(cairo_t* cairo, Color c, double alpha) {
  cairo_set_source_rgba(cairo, double(c.r), double(c.g), double(c.b), std::min(alpha, 1.0));
}

void rectangle(cairo_t* cairo, const Box& b) { cairo_rectangle(cairo, b.x0, b.y0, b.width(), b.height()); }

// Returns the part of a box inside another; with x1 <= x0 or y1 <= y0 if there is none.
Box common(const Box& a, const Box& b) {
  return {std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1), std::min(a.y1, b.y1)};
}

// Cuts the segment to the box (Liang and Barsky 1984). Returns false if it is outside.
bool cut(const Box& box, Spot& a, Spot& b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  double from = 0, to = 1;
  for (const auto& [step, room] :
       {std::pair{-dx, a.x - box.x0}, {dx, box.x1 - a.x}, {-dy, a.y - box.y0}, {dy, box.y1 - a.y}}) {
    if (step == 0 && room < 0) return false;
    if (step < 0) from = std::max(from, room / step);
    if (step > 0) to = std::min(to, room / step);
  }
  if (from > to) return false;
  const Spot start = a;
  if (to < 1) b = {start.x + to * dx, start.y + to * dy};
  if (from > 0) a = {start.x + from * dx, start.y + from * dy};
  return true;
}

cairo_status_t append(void* out, const unsigned char* bytes, unsigned int count) {
  try {
    auto& all = *static_cast<std::vector<uint8_t>*>(out);
    all.insert(all.end(), bytes, bytes + count);
    return CAIRO_STATUS_SUCCESS;
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
}
}  // namespace

void Canvas::Free::operator()(_cairo* c) const { cairo_destroy(c); }

Canvas::Canvas(int width, int height, Color background)
    : width_(width), height_(height), clip_{0, 0, double(width), double(height)} {
  if (width > kMost || height > kMost)
    throw Failure(
        text("the picture would have %d x %d pixels; at most 32,767 are possible in a direction", width, height),
        "choose a smaller --size");
  cairo_surface_t* surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  cairo_.reset(cairo_create(surface));
  cairo_surface_destroy(surface);  // cairo_ holds it
  if (cairo_status(cairo_.get()) != CAIRO_STATUS_SUCCESS) throw std::bad_alloc();
  cairo_set_tolerance(cairo_.get(), kCurve);
  cairo_set_line_cap(cairo_.get(), CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join(cairo_.get(), CAIRO_LINE_JOIN_ROUND);
  ink(cairo_.get(), background, 1);
  cairo_paint(cairo_.get());
}

const uint32_t* Canvas::row(int y) const {
  cairo_surface_t* surface = cairo_get_target(cairo_.get());
  cairo_surface_flush(surface);
  const unsigned char* data = cairo_image_surface_get_data(surface);
  return reinterpret_cast<const uint32_t*>(data + std::ptrdiff_t{y} * cairo_image_surface_get_stride(surface));
}

Color Canvas::at(int x, int y) const {
  const uint32_t p = row(y)[x];
  const auto part = [&](int shift) { return static_cast<float>(p >> shift & 255) / 255; };
  return {part(16), part(8), part(0)};
}

void Canvas::clip(const Box& box) {
  const auto whole = [](double v) { return std::floor(v + 0.5); };
  unclip();
  clip_ = common(clip_, {whole(box.x0), whole(box.y0), whole(box.x1), whole(box.y1)});
  if (clip_.x1 < clip_.x0 || clip_.y1 < clip_.y0) clip_ = {0, 0, 0, 0};
  rectangle(cairo_.get(), clip_);
  cairo_clip(cairo_.get());
}

void Canvas::unclip() {
  clip_ = {0, 0, double(width_), double(height_)};
  cairo_reset_clip(cairo_.get());
}

void Canvas::pixels(Spot corner, int columns, std::span<const Color> colors) {
  if (columns < 1 || colors.empty()) return;
  const int rows = static_cast<int>(colors.size()) / columns;
  cairo_surface_t* image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows);
  if (cairo_surface_status(image) != CAIRO_STATUS_SUCCESS) throw std::bad_alloc();
  unsigned char* data = cairo_image_surface_get_data(image);
  const int stride = cairo_image_surface_get_stride(image);
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x) {
      const uint32_t p = packed(colors[static_cast<size_t>(y) * static_cast<size_t>(columns) + static_cast<size_t>(x)]);
      std::memcpy(data + std::ptrdiff_t{y} * stride + std::ptrdiff_t{4} * x, &p, sizeof p);
    }
  cairo_surface_mark_dirty(image);
  const Spot at{std::floor(corner.x + 0.5), std::floor(corner.y + 0.5)};
  cairo_set_source_surface(cairo_.get(), image, at.x, at.y);
  cairo_surface_destroy(image);  // the context holds it
  cairo_pattern_set_filter(cairo_get_source(cairo_.get()), CAIRO_FILTER_NEAREST);
  rectangle(cairo_.get(), {at.x, at.y, at.x + columns, at.y + rows});
  cairo_fill(cairo_.get());
}

void Canvas::fill(const Box& box, Color c, double alpha) {
  const Box b = common(clip_, box);
  if (!(b.x1 > b.x0 && b.y1 > b.y0) || std::isnan(box.x0 + box.x1 + box.y0 + box.y1)) return;
  ink(cairo_.get(), c, alpha);
  rectangle(cairo_.get(), b);
  cairo_fill(cairo_.get());
}

void Canvas::outline(const Box& b, Color c, double w) {
  fill({b.x0 - w, b.y0 - w, b.x1 + w, b.y0}, c);
  fill({b.x0 - w, b.y1, b.x1 + w, b.y1 + w}, c);
  fill({b.x0 - w, b.y0, b.x0, b.y1}, c);
  fill({b.x1, b.y0, b.x1 + w, b.y1}, c);
}

bool Canvas::reaches(Spot s, double radius) const {  // false for NaN
  return s.x + radius > clip_.x0 && s.x - radius < clip_.x1 && s.y + radius > clip_.y0 && s.y - radius < clip_.y1;
}

void Canvas::disc(Spot center, double radius, Color c, double alpha) {
  if (!reaches(center, radius)) return;
  ink(cairo_.get(), c, alpha);
  cairo_new_path(cairo_.get());
  cairo_arc(cairo_.get(), center.x, center.y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(cairo_.get());
}

void Canvas::polygon(std::span<const Spot> corners, Color c, double alpha) {
  for (const Spot& s : corners)
    if (!reaches(s, kFar)) return;
  ink(cairo_.get(), c, alpha);
  cairo_new_path(cairo_.get());
  for (const Spot& s : corners) cairo_line_to(cairo_.get(), s.x, s.y);
  cairo_fill(cairo_.get());
}

void Canvas::stroke(std::span<const Spot> path, double width, Color c, double alpha) {
  const Box near{clip_.x0 - kFar, clip_.y0 - kFar, clip_.x1 + kFar, clip_.y1 + kFar};
  cairo_new_path(cairo_.get());
  bool joined = false;  // the pen is at the start of the segment
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    Spot a = path[i], b = path[i + 1];
    if (!finite(a) || !finite(b) || !cut(near, a, b)) {
      joined = false;
      continue;
    }
    if (!joined || a.x != path[i].x || a.y != path[i].y) cairo_move_to(cairo_.get(), a.x, a.y);
    cairo_line_to(cairo_.get(), b.x, b.y);
    joined = b.x == path[i + 1].x && b.y == path[i + 1].y;
  }
  ink(cairo_.get(), c, alpha);
  cairo_set_line_width(cairo_.get(), width);
  cairo_stroke(cairo_.get());
}

Image Canvas::image() const {
  Image out{width_, height_, {}};
  out.rgb.reserve(3 * static_cast<size_t>(width_) * static_cast<size_t>(height_));
  for (int y = 0; y < height_; ++y) {
    const uint32_t* const pixels = row(y);
    for (int x = 0; x < width_; ++x)
      for (int shift : {16, 8, 0}) out.rgb.push_back(static_cast<uint8_t>(pixels[x] >> shift));
  }
  return out;
}

std::vector<uint8_t> Canvas::png() const {
  std::vector<uint8_t> out;
  const cairo_status_t status = cairo_surface_write_to_png_stream(cairo_get_target(cairo_.get()), append, &out);
  if (status == CAIRO_STATUS_NO_MEMORY) throw std::bad_alloc();
  if (status != CAIRO_STATUS_SUCCESS)
    throw Failure(std::string("cannot encode the picture: ") + cairo_status_to_string(status));
  return out;
}

}  // namespace cli
