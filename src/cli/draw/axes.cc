// See axes.h.
#include "src/cli/draw/axes.h"

#include <algorithm>
#include <cmath>

#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr double kTick = 4;      // length
constexpr double kSpacing = 40;  // minimum distance of ticks
constexpr Style kNumbers{13, kPale, false};
constexpr Style kLabels{14, kInk, false};

double capital(const Style& s) { return 0.7 * s.size; }

// Replaces "-" before a number by a minus sign, which is as wide as a plus.
std::string with_minus(std::string s) {
  for (size_t i = 0; i + 1 < s.size(); ++i)
    if (s[i] == '-' && (i == 0 || s[i - 1] == ' ') && s[i + 1] >= '0' && s[i + 1] <= '9') s.replace(i, 1, "\u2212");
  return s;
}

double widest(const std::vector<Tick>& all) {
  double width = 0;
  for (const Tick& t : all) width = std::max(width, text_width(t.label, kNumbers));
  return width;
}

std::vector<Tick> upright_ticks(const Range& range, double height) {
  return ticks(range, std::clamp(static_cast<int>(height / kSpacing), 3, 9));
}
}  // namespace

std::vector<Tick> ticks(const Range& range, int most) {
  const double extent = range.extent();
  if (!(extent > 0) || !std::isfinite(extent) || most < 1) return {};
  double power = std::pow(10, std::floor(std::log10(extent / most)));
  double step = power;
  for (double factor : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0}) {
    step = factor * power;
    // Count them, because n steps hold n + 1 ticks.
    if (std::floor(range.high / step + 1e-9) - std::ceil(range.low / step - 1e-9) + 1 <= most) break;
  }
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  const bool scientific = largest >= 1e6 || largest < 1e-3;
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  std::vector<Tick> out;
  const double first = std::ceil(range.low / step - 1e-9), last = std::floor(range.high / step + 1e-9);
  for (double k = first; k <= last; ++k) {
    const double value = k == 0 ? 0 : k * step;
    const std::string label = !scientific ? text("%.*f", decimals, value) : value == 0 ? "0" : text("%.3g", value);
    out.push_back({value, with_minus(label)});
  }
  return out;
}

Spot Axes::spot(double x, double y) const {
  return {box_.x0 + (x - x_.low) / x_.extent() * box_.width(), box_.y1 - (y - y_.low) / y_.extent() * box_.height()};
}

std::vector<Tick> Axes::ticks_x() const {
  for (int most = std::clamp(static_cast<int>(box_.width() / kSpacing), 3, 9);; --most) {
    std::vector<Tick> all = ticks(x_, most);
    const double spacing = all.size() > 1 ? (all[1].value - all[0].value) / x_.extent() * box_.width() : box_.width();
    if (most <= 2 || widest(all) + 10 < spacing) return all;
  }
}

std::vector<Tick> Axes::ticks_y() const { return upright_ticks(y_, box_.height()); }

double room_left(const Range& y, double height, bool label) {
  constexpr double kEdge = 6;
  const double numbers = kTick + 5 + widest(upright_ticks(y, height));
  return std::ceil(numbers + kEdge + (label ? 9 + capital(kLabels) : 0));
}

void Axes::grid() {
  for (const Tick& t : ticks_x()) {
    const double x = std::floor(spot(t.value, y_.low).x);
    canvas_.fill({x, box_.y0, x + 1, box_.y1}, kGrid);
  }
  for (const Tick& t : ticks_y()) {
    const double y = std::floor(spot(x_.low, t.value).y);
    canvas_.fill({box_.x0, y, box_.x1, y + 1}, kGrid);
  }
}

void Axes::frame() {
  canvas_.outline(box_, kPale);
  for (const Tick& t : ticks_x()) {
    const double x = std::floor(spot(t.value, y_.low).x);
    canvas_.fill({x, box_.y1 + 1, x + 1, box_.y1 + 1 + kTick}, kPale);
    draw_text(canvas_, {x + 0.5, box_.y1 + kTick + 5 + capital(kNumbers)}, t.label, kNumbers, Align::center);
  }
  for (const Tick& t : ticks_y()) {
    const double y = std::floor(spot(x_.low, t.value).y);
    canvas_.fill({box_.x0 - 1 - kTick, y, box_.x0 - 1, y + 1}, kPale);
    draw_text(canvas_, {box_.x0 - kTick - 5, y + capital(kNumbers) / 2}, t.label, kNumbers, Align::right);
  }
}

void Axes::title(const std::string& words, bool bold) {
  Style style{bold ? 16.0 : 14.0, kInk, bold};
  while (style.size > 9 && text_width(words, style) > box_.width() + 12) style.size -= 1;
  draw_text(canvas_, {box_.x0, box_.y0 - 9}, words, style);
  titled_ = text_width(words, style);
}

void Axes::note(const std::string& words) {
  const std::string note = with_minus(words);
  if (titled_ + 14 + text_width(note, kNumbers) <= box_.width())
    draw_text(canvas_, {box_.x1, box_.y0 - 9}, note, kNumbers, Align::right);
}

void Axes::labels(const std::string& x, const std::string& y) {
  if (!x.empty())
    draw_text(canvas_, {(box_.x0 + box_.x1) / 2, box_.y1 + kTick + 17 + 2 * capital(kNumbers)}, x, kLabels,
              Align::center);
  if (y.empty()) return;
  draw_text_upwards(canvas_, {box_.x0 - kTick - 14 - widest(ticks_y()), (box_.y0 + box_.y1) / 2}, y, kLabels);
}

void Axes::legend(std::span<const Entry> entries, bool right, bool bottom) {
  constexpr double kLine = 20, kMark = 18, kPad = 10;
  double widest = 0;
  for (const Entry& e : entries) widest = std::max(widest, text_width(e.words, kLabels));
  const double width = widest + kMark + 3 * kPad, height = kLine * static_cast<double>(entries.size()) + kPad;
  const double x0 = right ? box_.x1 - width - kPad : box_.x0 + kPad,
               y0 = bottom ? box_.y1 - height - kPad : box_.y0 + kPad;
  canvas_.fill({x0, y0, x0 + width, y0 + height}, kWhite, 0.85);
  for (size_t i = 0; i < entries.size(); ++i) {
    const double y = y0 + kPad / 2 + kLine * (static_cast<double>(i) + 0.5);
    const Spot mark[] = {{x0 + kPad, y}, {x0 + kPad + kMark, y}};
    canvas_.stroke(mark, 3, entries[i].color);
    draw_text(canvas_, {x0 + 2 * kPad + kMark, y + capital(kLabels) / 2}, entries[i].words, kLabels);
  }
}

void color_bar(Canvas& canvas, const Box& box, const Range& range, const std::string& title) {
  for (int y = static_cast<int>(box.y0); y < static_cast<int>(box.y1); ++y) {
    const Color c = sequential((box.y1 - 0.5 - y) / box.height());
    canvas.fill({box.x0, double(y), box.x1, y + 1.0}, c);
  }
  canvas.outline(box, kPale);
  for (const Tick& t : upright_ticks(range, box.height())) {
    const double y = std::floor(box.y1 - (t.value - range.low) / range.extent() * box.height());
    canvas.fill({box.x1 + 1, y, box.x1 + 1 + kTick, y + 1}, kPale);
    draw_text(canvas, {box.x1 + kTick + 5, y + capital(kNumbers) / 2}, t.label, kNumbers);
  }
  draw_text(canvas, {box.x0, box.y0 - 9}, title, kNumbers);
}

void equal_units(const Box& box, Range& x, Range& y) {
  const double unit = std::max(x.extent() / box.width(), y.extent() / box.height());
  for (auto [range, pixels] : {std::pair{&x, box.width()}, std::pair{&y, box.height()}}) {
    const double middle = (range->low + range->high) / 2, half = unit * pixels / 2;
    *range = {middle - half, middle + half};
  }
}

}  // namespace cli
