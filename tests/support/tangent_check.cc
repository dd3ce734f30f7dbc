#include "tests/support/tangent_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace libnf::test {
namespace {

// A point of the space of all inputs and parameters, or a direction in it.
struct Everything {
  Values x, context;
  std::vector<Values> params;
};

double dot(const Values& a, const Values& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

class Check {
 public:
  Check(TangentCase c, uint64_t seed) : c_(c), random_(seed) {
    const auto& slots = c_.f.model().params().slots();
    here_ = {c_.in.x, c_.in.context, {}};
    for (size_t i = 0; i < slots.size(); ++i) {
      const auto count = static_cast<size_t>(slots[i].shape.count());
      here_.params.emplace_back(c_.f.param(i), c_.f.param(i) + count);
    }
    cot_ = {draw_normal(c_.density ? 0 : static_cast<int64_t>(here_.x.size()), random_),
            draw_normal(c_.in.rows, random_)};
  }

  testing::AssertionResult along(Toward::What what, size_t slot, const std::string& name) {
    Everything v = zero();
    Values& part = what == Toward::x ? v.x : what == Toward::context ? v.context : v.params[slot];
    part = draw_normal(static_cast<int64_t>(part.size()), random_);
    const Toward toward{what, slot, part};
    const MappedGradients d = tangents(toward);
    const testing::AssertionResult first =
        agrees(weigh(d.value, nullptr), v, [&](double* size) { return weigh(values(), size); });
    if (!first) return testing::AssertionFailure() << "tangent along " << name << ": " << first.message();
    for (const bool params : {false, true}) {
      Everything u = zero();
      double gradient = 0;
      if (params) {
        for (size_t i = 0; i < u.params.size(); ++i) {
          if (d.params[i].empty()) continue;
          u.params[i] = draw_normal(static_cast<int64_t>(u.params[i].size()), random_);
          gradient += dot(u.params[i], d.params[i]);
        }
      } else {
        u.x = draw_normal(static_cast<int64_t>(u.x.size()), random_);
        if (c_.context) u.context = draw_normal(static_cast<int64_t>(u.context.size()), random_);
        gradient = dot(u.x, d.x) + dot(u.context, d.context);
      }
      const testing::AssertionResult second =
          agrees(gradient, u, [&](double* size) { return weigh(tangents(toward).value, size); });
      if (!second)
        return testing::AssertionFailure() << "gradient by " << (params ? "parameters" : "inputs")
                                           << " of the tangent along " << name << ": " << second.message();
    }
    return testing::AssertionSuccess();
  }

 private:
  Everything zero() const {
    Everything e = here_;
    std::fill(e.x.begin(), e.x.end(), 0.0);
    std::fill(e.context.begin(), e.context.end(), 0.0);
    for (Values& p : e.params) std::fill(p.begin(), p.end(), 0.0);
    return e;
  }
  void move(const Everything& v, double h) {
    const auto add = [h](const Values& from, const Values& by, auto&& to) {
      for (size_t k = 0; k < from.size(); ++k) to[k] = from[k] + h * by[k];
    };
    add(here_.x, v.x, c_.in.x);
    add(here_.context, v.context, c_.in.context);
    for (size_t i = 0; i < here_.params.size(); ++i) add(here_.params[i], v.params[i], c_.f.param(i));
  }
  MappedValues values() { return c_.density ? MappedValues{{}, c_.f.log_prob(c_.in)} : c_.f.map(false, c_.in); }
  MappedGradients tangents(const Toward& toward) {
    return c_.density ? c_.f.log_prob_tangents(c_.in, toward, cot_, c_.memory)
                      : c_.f.tangents(c_.in, toward, cot_, c_.memory);
  }
  double weigh(const MappedValues& m, double* size) const {
    const auto add_size = [size](const Values& a, const Values& b) {
      for (size_t k = 0; size && k < a.size(); ++k) *size += std::abs(a[k] * b[k]);
    };
    add_size(cot_.y, m.y);
    add_size(cot_.log_det, m.log_det);
    return dot(cot_.y, m.y) + dot(cot_.log_det, m.log_det);
  }
  // Kinks near the point spoil differences, and so do large higher derivatives: smaller steps are tried before a
  // derivative is wrong. Rounding of the values adds its share to the bound, 1e-9 of them at the smallest step.
  template <class F>
  testing::AssertionResult agrees(double derivative, const Everything& v, const F& f) {
    double difference = 0;
    for (double h = 1e-3; h > 5e-7; h /= 10) {
      double size = 0;
      const auto at = [&](double step) {
        move(v, step);
        return f(&size);
      };
      difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      move(v, 0);
      const double bound = 1e-6 * std::max(1.0, std::abs(difference)) + 1e-15 * size / h;
      if (std::abs(difference - derivative) <= bound) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << derivative << ", difference " << difference;
  }

  TangentCase c_;
  std::mt19937_64 random_;
  Everything here_;
  MappedValues cot_;
};

}  // namespace

testing::AssertionResult tangents_agree(TangentCase c, uint64_t seed, size_t max_tensors) {
  Check check(c, seed);
  if (const auto r = check.along(Toward::x, 0, "x"); !r) return r;
  if (c.context && c.f.model().context())
    if (const auto r = check.along(Toward::context, 0, "the context"); !r) return r;
  const auto& slots = c.f.model().params().slots();
  std::vector<size_t> tensors;
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i].trainable && slots[i].shape.count() > 0) tensors.push_back(i);
  std::shuffle(tensors.begin(), tensors.end(), std::mt19937_64(seed));
  tensors.resize(std::min(tensors.size(), max_tensors));
  for (const size_t i : tensors)
    if (const auto r = check.along(Toward::param, i, slots[i].name); !r) return r;
  return testing::AssertionSuccess();
}

}  // namespace libnf::test
