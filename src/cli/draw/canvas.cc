// See canvas.h. Coverage is the distance to the edge of the shape in pixels, clamped to 1, which is exact for edges
// along the grid and within a few percent elsewhere.
#include "src/cli/draw/canvas.h"

#include <algorithm>
#include <cmath>

namespace cli {
namespace {
int whole(double v, int low, int high) { return static_cast<int>(std::clamp(v, double(low), double(high))); }

double distance(double x, double y, Spot a, Spot b) {
  const double ux = b.x - a.x, uy = b.y - a.y, length2 = ux * ux + uy * uy;
  const double t = length2 > 0 ? std::clamp(((x - a.x) * ux + (y - a.y) * uy) / length2, 0.0, 1.0) : 0;
  return std::hypot(x - a.x - t * ux, y - a.y - t * uy);
}

bool finite(Spot s) { return std::isfinite(s.x) && std::isfinite(s.y); }

// Returns the part of [i, i + 1) inside [low, high).
double overlap(int i, double low, double high) {
  return std::max(0.0, std::min(i + 1.0, high) - std::max(double(i), low));
}

uint8_t byte(float v) { return static_cast<uint8_t>(std::lround(255 * std::clamp(v, 0.0f, 1.0f))); }
}  // namespace

Canvas::Canvas(int width, int height, Color background)
    : width_(width),
      height_(height),
      right_(width),
      bottom_(height),
      pixels_(static_cast<size_t>(width) * static_cast<size_t>(height), background) {}

void Canvas::clip(const Box& box) {
  left_ = whole(std::floor(box.x0 + 0.5), 0, width_);
  top_ = whole(std::floor(box.y0 + 0.5), 0, height_);
  right_ = whole(std::floor(box.x1 + 0.5), 0, width_);
  bottom_ = whole(std::floor(box.y1 + 0.5), 0, height_);
}

void Canvas::unclip() {
  left_ = top_ = 0;
  right_ = width_;
  bottom_ = height_;
}

void Canvas::blend(int x, int y, Color c, double alpha) {
  Color& p = pixels_[index(x, y)];
  const auto a = static_cast<float>(std::min(alpha, 1.0));
  p = {p.r + a * (c.r - p.r), p.g + a * (c.g - p.g), p.b + a * (c.b - p.b)};
}

void Canvas::put(int x, int y, Color c) {
  if (x >= left_ && x < right_ && y >= top_ && y < bottom_) pixels_[index(x, y)] = c;
}

void Canvas::fill(const Box& box, Color c, double alpha) {
  const int x0 = whole(std::floor(box.x0), left_, right_), x1 = whole(std::ceil(box.x1), left_, right_);
  const int y0 = whole(std::floor(box.y0), top_, bottom_), y1 = whole(std::ceil(box.y1), top_, bottom_);
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) blend(x, y, c, alpha * overlap(x, box.x0, box.x1) * overlap(y, box.y0, box.y1));
}

void Canvas::outline(const Box& b, Color c, double w) {
  fill({b.x0 - w, b.y0 - w, b.x1 + w, b.y0}, c);
  fill({b.x0 - w, b.y1, b.x1 + w, b.y1 + w}, c);
  fill({b.x0 - w, b.y0, b.x0, b.y1}, c);
  fill({b.x1, b.y0, b.x1 + w, b.y1}, c);
}

void Canvas::disc(Spot center, double radius, Color c, double alpha) {
  if (!finite(center)) return;
  const double reach = radius + 1;
  const int x0 = whole(std::floor(center.x - reach), left_, right_),
            x1 = whole(std::ceil(center.x + reach), left_, right_);
  const int y0 = whole(std::floor(center.y - reach), top_, bottom_),
            y1 = whole(std::ceil(center.y + reach), top_, bottom_);
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) {
      const double cover = radius + 0.5 - std::hypot(x + 0.5 - center.x, y + 0.5 - center.y);
      if (cover > 0) blend(x, y, c, alpha * std::min(cover, 1.0));
    }
}

void Canvas::stroke(std::span<const Spot> path, double width, Color c, double alpha) {
  const std::vector<Spot> copy(path.begin(), path.end());
  strokes({&copy, 1}, width, c, alpha);
}

void Canvas::strokes(std::span<const std::vector<Spot>> paths, double width, Color c, double alpha) {
  const double reach = width / 2 + 1;
  double low_x = width_, low_y = height_, high_x = 0, high_y = 0;
  for (const auto& path : paths)
    for (const Spot& s : path) {
      if (!finite(s)) continue;
      low_x = std::min(low_x, s.x), high_x = std::max(high_x, s.x);
      low_y = std::min(low_y, s.y), high_y = std::max(high_y, s.y);
    }
  const int x0 = whole(std::floor(low_x - reach), left_, right_), x1 = whole(std::ceil(high_x + reach), left_, right_);
  const int y0 = whole(std::floor(low_y - reach), top_, bottom_), y1 = whole(std::ceil(high_y + reach), top_, bottom_);
  if (x0 >= x1 || y0 >= y1) return;
  const auto columns = static_cast<size_t>(x1 - x0);
  mask_.assign(columns * static_cast<size_t>(y1 - y0), 0);
  for (const auto& path : paths)
    for (size_t i = 0; i + 1 < path.size(); ++i) {
      const Spot a = path[i], b = path[i + 1];
      if (!finite(a) || !finite(b)) continue;
      const int left = whole(std::floor(std::min(a.x, b.x) - reach), x0, x1);
      const int right = whole(std::ceil(std::max(a.x, b.x) + reach), x0, x1);
      const int top = whole(std::floor(std::min(a.y, b.y) - reach), y0, y1);
      const int bottom = whole(std::ceil(std::max(a.y, b.y) + reach), y0, y1);
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) {
          const double cover = width / 2 + 0.5 - distance(x + 0.5, y + 0.5, a, b);
          float& m = mask_[static_cast<size_t>(y - y0) * columns + static_cast<size_t>(x - x0)];
          // A line thinner than a pixel is drawn fainter instead.
          m = std::max(m, static_cast<float>(std::clamp(cover, 0.0, std::min(width, 1.0))));
        }
    }
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) {
      const float m = mask_[static_cast<size_t>(y - y0) * columns + static_cast<size_t>(x - x0)];
      if (m > 0) blend(x, y, c, alpha * m);
    }
}

Image Canvas::image() const {
  Image out{width_, height_, {}};
  out.rgb.reserve(3 * pixels_.size());
  for (const Color& p : pixels_)
    for (float v : {p.r, p.g, p.b}) out.rgb.push_back(byte(v));
  return out;
}

}  // namespace cli
