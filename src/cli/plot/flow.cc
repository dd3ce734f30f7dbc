// nf plot flow: animates points of the latent space moving through the layers until they are samples.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"
#include "src/cli/draw/file.h"
#include "src/cli/draw/gif.h"
#include "src/cli/plot/states.h"

namespace cli {
namespace {
constexpr double kLeft = 40, kTop = 54, kRight = 20;
constexpr size_t kFrames = 96;                              // of movement, approximately
constexpr int kHoldFirst = 70, kHoldLast = 160, kStep = 4;  // hundredths of a second
constexpr Style kHeading{15, kInk, true}, kCount{12, kMuted, false};

class Film {
 public:
  Film(const States& states, double side, std::string words) : states_(states), words_(std::move(words)) {
    for (const State& s : states.list) {
      x_.push_back(range_x(s)), y_.push_back(range_y(s));
      fit_units({0, 0, side, side}, x_.back(), y_.back());
    }
    double left = kLeft;
    for (size_t k = 0; k < y_.size(); ++k)
      for (double t : {0.0, 0.25, 0.5, 0.75}) left = std::max(left, room_left(between(y_, k, t), side, false));
    box_ = {left, kTop, left + side, kTop + side};
  }

  // Returns how many points are outside of the window at state k.
  int64_t outside(size_t k) const {
    return std::count_if(states_.list[k].points.begin(), states_.list[k].points.end(),
                         [&](const Spot& s) { return !(x_[k].holds(s.x) && y_[k].holds(s.y)); });
  }

  // Draws the frame between state k and the next, t in [0, 1].
  Image frame(size_t k, double t) const {
    Canvas canvas(static_cast<int>(box_.x1 + kRight), static_cast<int>(box_.y1 + room_below(false)));
    const double soft = t * t * (3 - 2 * t);
    Axes axes(canvas, box_, between(x_, k, soft), between(y_, k, soft));
    axes.grid();
    canvas.clip(box_);
    // Interpolates positions in the picture instead of values, which would jump to the larger scale at once where a
    // layer changes the scale a thousandfold.
    const size_t next = std::min(k + 1, states_.list.size() - 1);
    const Axes start(canvas, box_, x_[k], y_[k]), end(canvas, box_, x_[next], y_[next]);
    for (size_t i = 0; i < states_.colors.size(); ++i) {
      const Spot a = start.spot(states_.list[k].points[i].x, states_.list[k].points[i].y);
      const Spot b = end.spot(states_.list[next].points[i].x, states_.list[next].points[i].y);
      canvas.disc({a.x + soft * (b.x - a.x), a.y + soft * (b.y - a.y)}, 1.9, states_.colors[i], 0.75);
    }
    canvas.unclip();
    axes.frame();
    const size_t moves = states_.list.size() - 1;
    const bool last = k >= moves;
    const bool moving = !last && (k > 0 || t > 0);
    const std::string layer = moving ? text("layer %zu of %zu", k + 1, moves) : "";
    constexpr double kBetween = 12;
    const double room = box_.width() - (moving ? text_width(layer, kCount) + kBetween : 0);
    draw_text(canvas, {box_.x0, 20},
              shortened(last     ? "data" + words_
                        : moving ? "latent space \u2192 data"
                                 : "latent space" + words_,
                        kHeading, room),
              kHeading);
    draw_text(canvas, {box_.x1, 20}, layer, kCount, Align::right);
    const double done = moves ? (static_cast<double>(k) + t) / static_cast<double>(moves) : 1;
    canvas.fill({box_.x0, 32, box_.x1, 36}, kGrid);
    canvas.fill({box_.x0, 32, box_.x0 + std::min(done, 1.0) * box_.width(), 36}, kOrange);
    return canvas.image();
  }

 private:
  // Interpolates the window too, so that each state fills the frame.
  static Range between(const std::vector<Range>& all, size_t k, double t) {
    const Range &a = all[k], &b = all[std::min(k + 1, all.size() - 1)];
    return {a.low + t * (b.low - a.low), a.high + t * (b.high - a.high)};
  }

  const States& states_;
  std::string words_;
  std::vector<Range> x_, y_;  // of each state
  Box box_{};
};
}  // namespace

int plot_flow(const PlotArgs& a) {
  check_picture(a.output, ".gif");
  const Scene scene(a, a.model, a.data, Contexts::of_rows);
  scene.mention_contexts();
  const std::pair<int64_t, int64_t> pair = pair_of(scene, a.columns);
  // Start from the latent points of samples, or of the data.
  const Matrix x = scene.has_data() ? scene.data() : scene.sample(a.points);
  const Matrix z = scene.trace(x, nf::Direction::forward).back();
  const States states = states_of(scene, z, nf::Direction::inverse, pair);
  const Film film(states, a.size, scene.at_context());
  const size_t moves = states.list.size() - 1,
               per_move = std::clamp<size_t>(kFrames / std::max<size_t>(moves, 1), 2, 24);
  std::vector<Frame> frames{{film.frame(0, 0), kHoldFirst}};
  for (size_t k = 0; k < moves; ++k)
    for (size_t i = 1; i <= per_move; ++i)
      if (k + 1 < moves || i < per_move)
        frames.push_back({film.frame(k, static_cast<double>(i) / static_cast<double>(per_move)), kStep});
  frames.push_back({film.frame(moves, 0), kHoldLast});
  write_file(a.output, gif(frames));
  std::printf("animation  %s  (%zu frames)\n", a.output.c_str(), frames.size());
  note_font();
  report_outside({{"point", film.outside(moves), x.rows}});
  return kOk;
}

}  // namespace cli
