// y_j = x_0 + ... + x_j along the last axis, added from left to right; gx_j = gy_j + ... + gy_last, from right to left.
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

template <class T>
void forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0)), y = last_axis_of<T>(n.out);
  for (int64_t r = 0; r < x.rows; ++r) {
    T total = 0;
    for (int64_t c = 0; c < x.cols; ++c) y.row(r)[c] = total += x.row(r)[c];
  }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = last_axis_of<T>(t.grad_out(n)), gx = last_axis_of<T>(grads.add(0));
  for (int64_t r = 0; r < gy.rows; ++r) {
    T total = 0;
    for (int64_t c = gy.cols - 1; c >= 0; --c) gx.row(r)[c] += total += gy.row(r)[c];
  }
}

const Op kCumsum = {
    "cumsum",      Layout::rows,
    same_as_first, NF_BOTH(forward),
    NF_BOTH(vjp),  [](Tape& t, Node&, const InputTangents& d) -> OutputTangents { return cumsum(t, d[0]); }};

const OpCase kCases[] = {
    {"cumsum", {{"nd"}}, [](Tape& t, const Var* in) { return cumsum(t, in[0]); }},
    {"cumsum_cube", {{"ncd"}}, [](Tape& t, const Var* in) { return cumsum(t, in[0]); }},
};

}  // namespace

extern const OpFamily family_cumsum;
const OpFamily family_cumsum = {"cumsum", kCases, std::size(kCases)};

Var cumsum(Tape& t, Var x) { return t.record(kCumsum, {x}); }

}  // namespace libnf
