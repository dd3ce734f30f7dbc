// See toy.h. U is uniform on [0, 1); N(0, s) is normal with standard deviation s.
#include "src/cli/toy/toy.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cli {
namespace {
constexpr double kPi = std::numbers::pi;

Point noisy(Point p, double sd, Random& r) {
  const double dx = r.normal(), dy = r.normal();
  return {p.x + sd * dx, p.y + sd * dy};
}

Point on_circle(double radius, Random& r) {
  const double a = 2 * kPi * r.uniform();
  return {radius * std::cos(a), radius * std::sin(a)};
}

Point swissroll(Random& r) {
  const double t = 1.5 * kPi * (1 + 2 * r.uniform());
  const Point p = noisy({t * std::cos(t), t * std::sin(t)}, 1, r);
  return {p.x / 5, p.y / 5};
}

Point circles(Random& r) {
  const Point p = noisy(on_circle(r.below(2) ? 1 : 0.5, r), 0.08, r);
  return {3 * p.x, 3 * p.y};
}

Point rings(Random& r) { return noisy(on_circle(3 * 0.25 * (1 + r.below(4)), r), 0.08, r); }

Point moons(Random& r) {
  const bool lower = r.below(2);
  const double t = kPi * r.uniform(), c = std::cos(t), s = std::sin(t);
  const Point p = noisy(lower ? Point{1 - c, 0.5 - s} : Point{c, s}, 0.1, r);
  return {2 * p.x - 1, 2 * p.y - 0.2};
}

template <int kCount>
Point gaussians(Random& r) {
  const double a = 2 * kPi * r.below(kCount) / kCount;
  const Point p = noisy({4 * std::cos(a), 4 * std::sin(a)}, 0.5, r);
  return {p.x / 1.414, p.y / 1.414};
}

Point pinwheel(Random& r) {
  const int arm = r.below(5);
  const double radial = 1 + 0.3 * r.normal(), tangential = 0.1 * r.normal();
  const double a = 2 * kPi * arm / 5 + 0.25 * std::exp(radial);
  return {2 * (radial * std::cos(a) + tangential * std::sin(a)), 2 * (tangential * std::cos(a) - radial * std::sin(a))};
}

Point spirals(Random& r) {
  const double t = std::sqrt(r.uniform()) * 3 * kPi, sign = r.below(2) ? 1 : -1;
  const double x = -std::cos(t) * t + 0.5 * r.uniform(), y = std::sin(t) * t + 0.5 * r.uniform();
  return noisy({sign * x / 3, sign * y / 3}, 0.1, r);
}

Point checkerboard(Random& r) {
  const double x = 4 * r.uniform() - 2;
  const bool odd = static_cast<int>(std::floor(x)) & 1;
  const double y = r.uniform() - 2 * r.below(2) + odd;
  return {2 * x, 2 * y};
}

Point line(Random& r) {
  const double x = 5 * r.uniform() - 2.5;
  return {x, x};
}

Point cosine(Random& r) {
  const double x = 5 * r.uniform() - 2.5;
  return {x, 2.5 * std::sin(x)};
}

Point parabola(Random& r) {
  const double y = r.normal();
  return {y * y + 0.25 * r.normal(), y};
}

// Returns the squared distance of p from the segment ab.
double distance2(Point p, Point a, Point b) {
  const double ux = b.x - a.x, uy = b.y - a.y;
  const double t = std::clamp(((p.x - a.x) * ux + (p.y - a.y) * uy) / (ux * ux + uy * uy), 0.0, 1.0);
  const double dx = p.x - a.x - t * ux, dy = p.y - a.y - t * uy;
  return dx * dx + dy * dy;
}

Point letters(Random& r) {
  constexpr double kHalfWidth = 0.35;
  constexpr Point strokes[][2] = {{{-3.4, -2.2}, {-3.4, 2.2}}, {{-3.4, 2.2}, {-0.7, -2.2}}, {{-0.7, -2.2}, {-0.7, 2.2}},
                                  {{1, -2.2}, {1, 2.2}},       {{1, 2.2}, {3.4, 2.2}},      {{1, 0.1}, {2.9, 0.1}}};
  for (;;) {  // rejection sampling; about 30 % of the tries hit a stroke
    const double x = 8 * r.uniform() - 4, y = 6 * r.uniform() - 3;
    for (const auto& s : strokes)
      if (distance2({x, y}, s[0], s[1]) <= kHalfWidth * kHalfWidth) return {x, y};
  }
}

constexpr Toy kToys[] = {
    {"swissroll", "a spiral of one and a half turns: t (cos t, sin t), t in [1.5 pi, 4.5 pi), + N(0, 1), / 5",
     swissroll},
    {"circles", "two circles of radius 3 and 1.5, N(0, 0.24)", circles},
    {"rings", "four circles of radius 3, 2.25, 1.5 and 0.75, N(0, 0.08)", rings},
    {"moons", "two half circles, interleaved, of radius 2, N(0, 0.2)", moons},
    {"4gaussians", "four blobs in a cross: centers (+-4, 0), (0, +-4), N(0, 0.5), / 1.414", gaussians<4>},
    {"8gaussians", "eight blobs in a circle of radius 4, N(0, 0.5), / 1.414", gaussians<8>},
    {"pinwheel", "five bent arms: 1 + N(0, 0.3) along, N(0, 0.1) across, turned by exp(radius) / 4, x 2", pinwheel},
    {"2spirals", "two arms of one and a half turns, t = 3 pi sqrt(U), / 3, N(0, 0.1)", spirals},
    {"checkerboard", "the black squares of a 4 x 4 board on [-4, 4]^2", checkerboard},
    {"line", "y = x, x in [-2.5, 2.5); has no density in the plane without --noise", line},
    {"cos", "y = 2.5 sin x, x in [-2.5, 2.5); has no density in the plane without --noise", cosine},
    {"parabola", "x = y^2 + N(0, 0.25), y normal", parabola},
    {"letters", "the letters NF, evenly filled", letters},
};
}  // namespace

// Box-Muller transform; drops the second number of the pair, so that it keeps no state.
double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * kPi * uniform());
}

std::span<const Toy> toys() { return kToys; }

}  // namespace cli
