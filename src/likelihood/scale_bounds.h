// Bounds of deviations that a net gives. Unbounded, a likelihood of a column that hardly varies grows without end as its
// deviation shrinks, and the deviations of a posterior can overflow.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/op/ops.h"
#include "src/part/declare.h"
#include "src/part/fields.h"

namespace libnf {

class ScaleBounds {
 public:
  void fields(Fields& f) {
    f.reals(
        "scale_bounds",
        "[low, high] that deviations stay between: their logarithm l becomes c + r tanh((l - c) / r), where c is the "
        "middle of log low and log high and r the distance to them; none if left out",
        range_, 1e-30, 1e30, 2);
  }
  void check(const Declare& d) const {
    if (!range_.empty() && (range_.size() != 2 || !(range_[0] < range_[1])))
      d.reject("scale_bounds", "expected two numbers, the smaller one first");
  }
  bool holds(double scale) const { return range_.empty() || (range_[0] < scale && scale < range_[1]); }
  // The bounded logarithm.
  Var operator()(Tape& t, Var log_scale) const {
    if (range_.empty()) return log_scale;
    return add_scalar(
        t, scale(t, unary(t, Unary::tanh, scale(t, add_scalar(t, log_scale, -middle()), 1 / reach())), reach()),
        middle());
  }
  // What becomes the logarithm of `scale`, which holds(scale).
  double start(double scale) const {
    const double l = std::log(scale);
    return range_.empty() ? l : middle() + reach() * std::atanh((l - middle()) / reach());
  }

 private:
  double middle() const { return (std::log(range_[1]) + std::log(range_[0])) / 2; }
  double reach() const { return (std::log(range_[1]) - std::log(range_[0])) / 2; }
  std::vector<double> range_;
};

}  // namespace libnf
