// See font.h. Heights that letters share (baseline, 5, 7) are rounded to whole pixels, and each letter starts at a
// whole pixel, so that a stem or bar is one dark line instead of two gray ones.
#include "src/cli/draw/font.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

#include "src/cli/draw/glyphs.h"

namespace cli {
namespace {
constexpr double kGap = 2.0;  // between two letters
constexpr int kArcSteps = 8;

using Paths = std::vector<std::vector<Spot>>;

struct Grid {
  double unit, small, capital;  // pixels: one unit, the heights 5 and 7
  explicit Grid(double size)
      : unit(size / 10),
        small(std::max(1.0, std::round(5 * unit))),
        capital(std::max(small + 1, std::round(7 * unit))) {}
  double height(double y) const {
    if (y <= 0) return y * unit;
    return y <= 5 ? y / 5 * small : small + (y - 5) / 2 * (capital - small);
  }
  double advance(const Glyph& g) const {
    return std::max(1.0, std::round((static_cast<double>(g.width) + kGap) * unit));
  }
};

double stroke_width(const Style& style) { return std::max(1.0, style.size * (style.bold ? 0.135 : 0.092)); }

// Reads one code point; bytes that are not UTF-8 stand for themselves.
char32_t next(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length > text.size()) length = 1;
  char32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  text.remove_prefix(length);
  return code;
}

void arc(std::vector<Spot>& path, Spot corner, Spot end) {
  const Spot start = path.back();
  for (int i = 1; i <= kArcSteps; ++i) {  // center + (start - center) cos + (end - center) sin, center opposite corner
    const double t = i * std::acos(0.0) / kArcSteps, c = 1 - std::cos(t), s = 1 - std::sin(t);
    path.push_back({corner.x + s * (start.x - corner.x) + c * (end.x - corner.x),
                    corner.y + s * (start.y - corner.y) + c * (end.y - corner.y)});
  }
}

// Appends the letter with its origin at (0, 0), y up, in units.
void trace(const Glyph& g, Paths& out) {
  const char* at = g.path;
  const char* const end = at + std::strlen(at);
  const auto number = [&] {
    while (*at == ' ') ++at;
    double v = 0;
    at = std::from_chars(at, end, v).ptr;
    return v;
  };
  const auto spot = [&] {
    const double x = number(), y = number();
    return Spot{x, y};
  };
  while (at < end) switch (*at++) {
      case 'M':
        out.push_back({spot()});
        break;
      case 'L':
        out.back().push_back(spot());
        break;
      default: {
        const Spot corner = spot();
        arc(out.back(), corner, spot());
      }
    }
}

// Lays out the text from x = 0, y up, in pixels.
Paths layout(std::string_view utf8, const Grid& grid) {
  Paths all;
  double pen = 0;
  while (!utf8.empty()) {
    const Glyph& g = glyph_of(next(utf8));
    const size_t first = all.size();
    trace(g, all);
    for (size_t i = first; i < all.size(); ++i)
      for (Spot& s : all[i]) s = {pen + s.x * grid.unit, grid.height(s.y)};
    pen += grid.advance(g);
  }
  return all;
}
}  // namespace

double text_width(std::string_view utf8, const Style& style) {
  const Grid grid(style.size);
  double width = 0;
  while (!utf8.empty()) width += grid.advance(glyph_of(next(utf8)));
  return width > 0 ? width - std::round(kGap * grid.unit) : 0;
}

void draw_text(Canvas& canvas, Spot at, std::string_view utf8, const Style& style, Align align) {
  const double width = text_width(utf8, style);
  const double shift = align == Align::left ? 0 : align == Align::center ? width / 2 : width;
  const double x0 = std::floor(at.x - shift) + 0.5, y0 = std::floor(at.y) + 0.5;
  Paths paths = layout(utf8, Grid(style.size));
  for (auto& path : paths)
    for (Spot& s : path) s = {x0 + s.x, y0 - s.y};
  canvas.strokes(paths, stroke_width(style), style.color);
}

void draw_text_upwards(Canvas& canvas, Spot at, std::string_view utf8, const Style& style) {
  const double x0 = std::floor(at.x) + 0.5, y0 = std::floor(at.y + text_width(utf8, style) / 2) + 0.5;
  Paths paths = layout(utf8, Grid(style.size));
  for (auto& path : paths)
    for (Spot& s : path) s = {x0 - s.y, y0 - s.x};
  canvas.strokes(paths, stroke_width(style), style.color);
}

}  // namespace cli
