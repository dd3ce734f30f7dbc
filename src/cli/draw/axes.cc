// See axes.h.
#include "src/cli/draw/axes.h"

#include <algorithm>
#include <cmath>

namespace cli {
namespace {
constexpr double kTick = 4;                  // length
constexpr double kDistance = 28;             // minimum, of ticks
constexpr double kNumberGap = 5, kName = 9;  // pixels from tick to number, from numbers to the name
constexpr double kTitle = 9;                 // from the box up to the baseline of the title
constexpr Style kNumbers{12, kMuted, false};
constexpr Style kNames{13, kInk, false};

double widest(const Ticks& all) {
  double width = 0;
  for (const Tick& t : all.marks) width = std::max(width, text_width(t.label, kNumbers));
  return width;
}

Ticks upright_ticks(const Range& range, double height) {
  return ticks(range, std::clamp(static_cast<int>(height / kDistance), 4, 9));
}

// "income, x10^3"
std::string full_name(const std::string& name, const Ticks& all) {
  return all.factor.empty() || name.empty() ? name : name + ", " + all.factor;
}

// Draws a triangle whose tip points along (dx, dy), a unit vector of one of the four directions.
void mark(Canvas& canvas, Spot tip, double dx, double dy, Color color) {
  constexpr double kHalf = 5, kLength = 8;
  const Spot base{tip.x - kLength * dx, tip.y - kLength * dy};
  const Spot corners[] = {tip, {base.x - kHalf * dy, base.y + kHalf * dx}, {base.x + kHalf * dy, base.y - kHalf * dx}};
  canvas.polygon(corners, color);
}

double entry(Canvas& canvas, Spot at, const Axes::Entry& e) {
  constexpr double kMark = 18, kGap = 8;
  const double middle = at.y - capital(kNames) / 2;
  if (e.area) {
    canvas.fill({at.x, middle - 5, at.x + kMark, middle + 5}, e.color);
  } else {
    const Spot line[] = {{at.x + 1.5, middle}, {at.x + kMark - 1.5, middle}};
    canvas.stroke(line, 3, e.color);
  }
  draw_text(canvas, {at.x + kMark + kGap, at.y}, e.words, kNames);
  return kMark + kGap + text_width(e.words, kNames);
}
}  // namespace

Spot Axes::spot(double x, double y) const {
  return {box_.x0 + (x - x_.range.low) / x_.range.extent() * box_.width(),
          box_.y1 - (y - y_.range.low) / y_.range.extent() * box_.height()};
}

Ticks Axes::ticks_x() const {
  constexpr double kApart = 12, kClose = 5;  // pixels between labels
  Ticks last;
  double gap = 0;
  for (int most = std::clamp(static_cast<int>(box_.width() / kDistance), 4, 9);; --most) {
    Ticks all = ticks(x_.range, most);
    // Labels that nearly touch are better than a single one.
    if (all.marks.size() < 2 && last.marks.size() >= 2 && gap >= kClose) return last;
    gap = all.marks.size() > 1
              ? (all.marks[1].value - all.marks[0].value) / x_.range.extent() * box_.width() - widest(all)
              : box_.width();
    if (most <= 2 || gap > kApart) return all;
    last = std::move(all);
  }
}

Ticks Axes::ticks_y() const { return upright_ticks(y_.range, box_.height()); }

double room_left(const Range& y, double height, bool name) {
  constexpr double kEdge = 6;
  const double numbers = kTick + kNumberGap + widest(upright_ticks(y, height));
  return std::ceil(numbers + kEdge + (name ? kName + kNames.size : 0));
}

double room_below(bool name) {
  constexpr double kEdge = 8;
  return kTick + kNumberGap + capital(kNumbers) + kEdge + (name ? kName + kNames.size : 0);
}

void Axes::grid() {
  for (const Tick& t : ticks_x().marks) {
    const double x = std::floor(spot(t.value, y_.range.low).x);
    canvas_.fill({x, box_.y0, x + 1, box_.y1}, kGrid);
  }
  for (const Tick& t : ticks_y().marks) {
    const double y = std::floor(spot(x_.range.low, t.value).y);
    canvas_.fill({box_.x0, y, box_.x1, y + 1}, kGrid);
  }
}

void Axes::frame(bool below, bool left) {
  canvas_.outline(box_, kPale);
  const Ticks all_x = ticks_x(), all_y = ticks_y();
  for (const Tick& t : below ? all_x.marks : std::vector<Tick>()) {
    const double x = std::floor(spot(t.value, y_.range.low).x);
    canvas_.fill({x, box_.y1 + 1, x + 1, box_.y1 + 1 + kTick}, kPale);
    draw_text(canvas_, {x + 0.5, box_.y1 + kTick + kNumberGap + capital(kNumbers)}, t.label, kNumbers, Align::center);
  }
  for (const Tick& t : left ? all_y.marks : std::vector<Tick>()) {
    const double y = std::floor(spot(x_.range.low, t.value).y);
    canvas_.fill({box_.x0 - 1 - kTick, y, box_.x0 - 1, y + 1}, kPale);
    draw_text(canvas_, {box_.x0 - kTick - kNumberGap, y + std::round(capital(kNumbers) / 2)}, t.label, kNumbers,
              Align::right);
  }
  // Without a name to follow, what the numbers leave out stands inside the box.
  const double half = box_.width() / 2 - 8;
  if (below && x_.name.empty() && !all_x.factor.empty())
    draw_text(canvas_, {box_.x1 - 5, box_.y1 - 5}, shortened(all_x.factor, kNumbers, half), kNumbers, Align::right);
  if (left && y_.name.empty() && !all_y.factor.empty())
    draw_text(canvas_, {box_.x0 + 5, box_.y0 + 5 + capital(kNumbers)}, shortened(all_y.factor, kNumbers, half),
              kNumbers);
  if (below && !x_.name.empty())
    draw_text(canvas_,
              {(box_.x0 + box_.x1) / 2, box_.y1 + kTick + kNumberGap + capital(kNumbers) + kName + capital(kNames)},
              shortened(full_name(x_.name, all_x), kNames, box_.width()), kNames, Align::center);
  if (left && !y_.name.empty())
    draw_text_upwards(canvas_, {box_.x0 - kTick - kNumberGap - kName - widest(all_y), (box_.y0 + box_.y1) / 2},
                      shortened(full_name(y_.name, all_y), kNames, box_.height()), kNames);
}

void Axes::title(const std::string& words, bool bold) {
  constexpr double kSmallest = 11;
  Style style{bold ? 15.0 : 13.0, kInk, bold};
  const double room = box_.width() + 4;
  while (style.size > kSmallest && text_width(words, style) > room) style.size -= 1;
  const std::string fitting = shortened(words, style, room);
  draw_text(canvas_, {box_.x0, box_.y0 - kTitle}, fitting, style);
  titled_ = text_width(fitting, style);
}

void Axes::note(const std::string& words) {
  if (titled_ + 14 + text_width(words, kNumbers) <= box_.width())
    draw_text(canvas_, {box_.x1, box_.y0 - kTitle}, words, kNumbers, Align::right);
}

void Axes::corner(const std::string& words) {
  constexpr double kPad = 4;
  const std::string fitting = shortened(words, kNumbers, box_.width() - 4 * kPad);
  const double width = text_width(fitting, kNumbers), height = capital(kNumbers);
  const Box back{box_.x1 - width - 3 * kPad, box_.y0 + kPad, box_.x1 - kPad, box_.y0 + height + 3 * kPad};
  canvas_.fill(back, kWhite, 0.85);
  draw_text(canvas_, {back.x1 - kPad, back.y1 - kPad}, fitting, kNumbers, Align::right);
}

void Axes::legend(std::span<const Entry> entries, bool right, bool bottom) {
  constexpr double kLine = 20, kMark = 26, kPad = 8;
  double words = 0;
  for (const Entry& e : entries) words = std::max(words, text_width(e.words, kNames));
  const double width = words + kMark + 2 * kPad, height = kLine * static_cast<double>(entries.size()) + kPad;
  const double x0 = right ? box_.x1 - width - kPad : box_.x0 + kPad,
               y0 = bottom ? box_.y1 - height - kPad : box_.y0 + kPad;
  canvas_.fill({x0, y0, x0 + width, y0 + height}, kWhite, 0.85);
  for (size_t i = 0; i < entries.size(); ++i) {
    const double middle = y0 + kPad / 2 + kLine * (static_cast<double>(i) + 0.5);
    entry(canvas_, {x0 + kPad, middle + std::round(capital(kNames) / 2)}, entries[i]);
  }
}

void legend_row(Canvas& canvas, Spot at, std::span<const Axes::Entry> entries) {
  constexpr double kBetween = 22;
  for (const Axes::Entry& e : entries) at.x += entry(canvas, at, e) + kBetween;
}

void Axes::mark_above(double x, Color color) { mark(canvas_, {spot(x, 0).x, box_.y0 + 1}, 0, -1, color); }
void Axes::mark_below(double x, Color color) { mark(canvas_, {spot(x, 0).x, box_.y1 - 1}, 0, 1, color); }
void Axes::mark_left(Color color) { mark(canvas_, {box_.x0 + 1, box_.y1 - 9}, -1, 0, color); }
void Axes::mark_right(Color color) { mark(canvas_, {box_.x1 - 1, box_.y1 - 9}, 1, 0, color); }

void color_bar(Canvas& canvas, const Box& box, const ColorBar& bar) {
  const double arrow = box.width() * 0.7, middle = (box.x0 + box.x1) / 2;
  // The frame is a larger shape below the colors.
  const auto shape = [&](double w, Color top, Color bottom) {
    if (bar.above) {
      const Spot up[] = {{box.x0 - w, box.y0}, {middle, box.y0 - arrow - 1.5 * w}, {box.x1 + w, box.y0}};
      canvas.polygon(up, top);
    }
    if (bar.below) {
      const Spot down[] = {{box.x0 - w, box.y1}, {middle, box.y1 + arrow + 1.5 * w}, {box.x1 + w, box.y1}};
      canvas.polygon(down, bottom);
    }
  };
  shape(1, kPale, kPale);
  canvas.outline(box, kPale);
  shape(0, sequential(1), sequential(0));
  std::vector<Color> colors;
  const int rows = static_cast<int>(box.height()), columns = static_cast<int>(box.width());
  for (int y = 0; y < rows; ++y)
    colors.insert(colors.end(), static_cast<size_t>(columns), sequential((rows - y - 0.5) / rows));
  canvas.pixels({box.x0, box.y0}, columns, colors);
  const Ticks all = upright_ticks(bar.range, box.height());
  for (const Tick& t : all.marks) {
    const double y = std::floor(box.y1 - (t.value - bar.range.low) / bar.range.extent() * box.height());
    canvas.fill({box.x1 + 1, y, box.x1 + 1 + kTick, y + 1}, kPale);
    draw_text(canvas, {box.x1 + kTick + kNumberGap + 1, y + std::round(capital(kNumbers) / 2)}, t.label, kNumbers);
  }
  if (!bar.name.empty())
    draw_text_upwards(canvas, {box.x1 + room_right(bar, box.height()) - 8, (box.y0 + box.y1) / 2},
                      shortened(full_name(bar.name, all), kNames, box.height()), kNames);
}

double room_right(const ColorBar& bar, double height) {
  const double numbers = kTick + kNumberGap + 1 + widest(upright_ticks(bar.range, height));
  return std::ceil(numbers + (bar.name.empty() ? 6 : kName + kNames.size + 4));
}

void equal_units(const Box& box, Range& x, Range& y) {
  const double unit = std::max(x.extent() / box.width(), y.extent() / box.height());
  for (auto [range, pixels] : {std::pair{&x, box.width()}, std::pair{&y, box.height()}}) {
    const double middle = (range->low + range->high) / 2, half = unit * pixels / 2;
    range->low = middle - half, range->high = middle + half;
  }
}

}  // namespace cli
