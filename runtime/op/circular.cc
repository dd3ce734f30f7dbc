// Shift on a circle, the same for all rows: y = x + period turns, modulo the period, in [low, low + period). Whole
// turns are dropped exactly. Except at the cut, which has measure zero: gx = gy, gturns = period * sum over rows of gy.
#include "runtime/op/circular.h"

#include <cmath>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/circular.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"
#include "runtime/op/tangent.h"

namespace libnf {
namespace {

enum { kX, kTurns };

struct CircularAttr {
  double low, period;
  bool inverse;
  double reach() const { return inverse ? -period : period; }  // how far one turn moves a column
};

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  need_rank(n, kTurns, 1);
  need_extent(n, kTurns, 0, n.in[kX]->out.shape[1]);
  return same_as_first(n);
}

template <class T>
void forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out);
  const ScratchScope scope(t);
  T* shift = t.scratch<T>(x.cols);
  const auto& a = n.attr<CircularAttr>();
  for (int64_t j = 0; j < x.cols; ++j) shift[j] = static_cast<T>(a.reach()) * std::remainder(n.x<T>(kTurns)[j], T(1));
  for (int64_t r = 0; r < x.rows; ++r)
    kernel::circular_shift<T>(static_cast<T>(a.low), static_cast<T>(a.period), shift, x.row(r), y.row(r), x.cols);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = matrix_of<T>(t.grad_out(n));
  if (grads.wants(kX)) {
    const auto gx = matrix_of<T>(grads.add(kX));
    for (int64_t r = 0; r < gy.rows; ++r) kernel::accumulate<T>(gy.row(r), gx.row(r), gy.cols);
  }
  if (!grads.wants(kTurns)) return;
  T* g = grads.add(kTurns).as<T>();
  const ScratchScope scope(t);
  T* sums = t.scratch<T>(gy.cols);
  kernel::fill<T>(0, sums, gy.cols);
  kernel::col_sum_add(gy.p, gy.ld, gy.rows, gy.cols, sums);
  for (int64_t j = 0; j < gy.cols; ++j) g[j] += static_cast<T>(n.attr<CircularAttr>().reach()) * sums[j];
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& dx) {
  return plus(t, n.out.shape, dx[kX], scaled(t, dx[kTurns], n.attr<CircularAttr>().reach()));
}

const Op kCircularShift = {"circular_shift", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// Finite differences are wrong across the cut, so test inputs stay away from it; three full turns are added to exercise
// wrapping.
template <bool kInverse>
Var apply(Tape& t, const Var* in) {
  return circular_shift(t, in[0], add_scalar(t, scale(t, in[1], 1.0 / 64), 3), -2, 4, kInverse);
}

const OpCase kCases[] = {
    {"circular_shift", {{"nd", Domain::unit}, {"d"}}, apply<false>},
    {"circular_shift_inverse", {{"nd", Domain::symmetric}, {"d"}}, apply<true>},
};

}  // namespace

extern const OpFamily family_circular;
const OpFamily family_circular = {"circular", kCases, std::size(kCases)};

Var circular_shift(Tape& t, Var x, Var turns, double low, double period, bool inverse) {
  return t.record(kCircularShift, {x, turns}, CircularAttr{low, period, inverse});
}

}  // namespace libnf
