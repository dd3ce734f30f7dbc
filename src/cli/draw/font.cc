// See font.h. All settings that move pixels are fixed here instead of taken from the machine's configuration, so that the
// same font gives the same picture.
#include "src/cli/draw/font.h"

#include <cairo.h>

#include <cmath>
#include <memory>
#include <vector>

#include "src/cli/draw/utf8.h"

namespace cli {
namespace {
constexpr const char* kFamily = "DejaVu Sans";
constexpr const char* kEllipsis = "\u2026";

struct FreeOptions {
  void operator()(cairo_font_options_t* o) const { cairo_font_options_destroy(o); }
};
struct FreeFont {
  void operator()(cairo_scaled_font_t* f) const { cairo_scaled_font_destroy(f); }
};
using Font = std::unique_ptr<cairo_scaled_font_t, FreeFont>;

// cairo keeps a cache of fonts, so this is cheap.
Font font_of(const Style& style) {
  const std::unique_ptr<cairo_font_options_t, FreeOptions> options(cairo_font_options_create());
  cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_SLIGHT);
  cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_ON);
  cairo_font_face_t* face = cairo_toy_font_face_create(kFamily, CAIRO_FONT_SLANT_NORMAL,
                                                       style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_matrix_t size, identity;
  cairo_matrix_init_scale(&size, style.size, style.size);
  cairo_matrix_init_identity(&identity);
  Font font(cairo_scaled_font_create(face, &size, &identity, options.get()));
  cairo_font_face_destroy(face);
  return font;
}

// Returns what can be drawn: valid UTF-8 without control characters, in ASCII if there is no font.
std::string drawable(std::string_view utf8) {
  std::string out;
  const bool all = font_found();
  while (!utf8.empty()) {
    const char32_t code = next_code(utf8);
    if (code < 0x20 || code == 0x7F)
      out += ' ';
    else if (all)
      append_code(out, code);
    else
      out += in_ascii(code);
  }
  return out;
}

double width_of(const std::string& drawn, cairo_scaled_font_t* font) {
  cairo_text_extents_t extents;
  cairo_scaled_font_text_extents(font, drawn.c_str(), &extents);
  return extents.x_advance;
}

void show(cairo_t* cairo, Spot at, const std::string& drawn, cairo_scaled_font_t* font) {
  cairo_set_scaled_font(cairo, font);
  cairo_move_to(cairo, at.x, at.y);
  cairo_show_text(cairo, drawn.c_str());
  cairo_new_path(cairo);
}

void ink(cairo_t* cairo, Color c) { cairo_set_source_rgb(cairo, double(c.r), double(c.g), double(c.b)); }
}  // namespace

bool font_found() {
  // cairo replaces a font that fontconfig cannot find by its own strokes, which are a "user font" to it.
  static const bool found = cairo_scaled_font_get_type(font_of({}).get()) != CAIRO_FONT_TYPE_USER;
  return found;
}

double capital(const Style& style) { return std::round(0.73 * style.size); }

double text_width(std::string_view utf8, const Style& style) { return width_of(drawable(utf8), font_of(style).get()); }

std::string shortened(std::string_view utf8, const Style& style, double width) {
  const Font font = font_of(style);
  const std::string all = drawable(utf8);
  if (width_of(all, font.get()) <= width) return all;
  std::string best = drawable(kEllipsis), kept;
  for (std::string_view rest = all; !rest.empty();) {
    append_code(kept, next_code(rest));
    const std::string longer = kept + drawable(kEllipsis);
    if (width_of(longer, font.get()) > width) break;
    best = longer;
  }
  return best;
}

void draw_text(Canvas& canvas, Spot at, std::string_view utf8, const Style& style, Align align) {
  const Font font = font_of(style);
  const std::string drawn = drawable(utf8);
  const double width = align == Align::left ? 0 : width_of(drawn, font.get());
  const double x = std::round(at.x - (align == Align::center ? width / 2 : width));
  ink(canvas.context(), style.color);
  show(canvas.context(), {x, std::round(at.y)}, drawn, font.get());
}

// Draws horizontally, then turns the pixels: letters drawn along another direction are neither hinted nor evenly spaced.
void draw_text_upwards(Canvas& canvas, Spot at, std::string_view utf8, const Style& style) {
  const Font font = font_of(style);
  const std::string drawn = drawable(utf8);
  const double width = std::ceil(width_of(drawn, font.get())), pad = std::ceil(style.size);
  cairo_surface_t* letters =
      cairo_image_surface_create(CAIRO_FORMAT_A8, static_cast<int>(width + 2 * pad), static_cast<int>(3 * pad));
  cairo_t* pen = cairo_create(letters);
  show(pen, {pad, 2 * pad}, drawn, font.get());
  cairo_destroy(pen);

  cairo_t* cairo = canvas.context();
  cairo_save(cairo);
  // (u, v) of the letters, with the baseline at v = 2 pad, goes to (x, y) = (v + left, bottom - u).
  const double left = std::round(at.x) - 2 * pad, bottom = std::round(at.y + width / 2) + pad;
  const cairo_matrix_t turn = {0, -1, 1, 0, left, bottom};
  cairo_transform(cairo, &turn);
  ink(cairo, style.color);
  cairo_pattern_t* mask = cairo_pattern_create_for_surface(letters);
  cairo_pattern_set_filter(mask, CAIRO_FILTER_NEAREST);
  cairo_mask(cairo, mask);
  cairo_pattern_destroy(mask);
  cairo_restore(cairo);
  cairo_surface_destroy(letters);
}

}  // namespace cli
