// y[..., j] = x[..., index[..., j]] along the last axis, with separate indices for every row. Exact; the gradient
// scatters.
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

struct GatherAttr {
  const int32_t* index;  // borrowed; `count` indices per row
  int64_t count;
};

Shapes shape(const Node& n) {
  Shapes s = same_as_first(n);
  if (s.out.rank == 0) fail(Code::shape, "%s: input 0 is a scalar, it has no axis", n.op->name);
  s.out[s.out.rank - 1] = n.attr<GatherAttr>().count;
  return s;
}

// Indices come from data, so they are checked here, unlike the constant ones of gather_columns.
template <class T>
void forward(Tape&, Node& n) {
  const auto x = last_axis_of<T>(n.view(0)), y = last_axis_of<T>(n.out);
  const int32_t* index = n.attr<GatherAttr>().index;
  for (int64_t r = 0; r < y.rows; ++r, index += y.cols)
    for (int64_t c = 0; c < y.cols; ++c) {
      if (index[c] < 0 || index[c] >= x.cols)
        fail(Code::argument, "%s: index %d of row %lld is outside [0, %lld)", n.op->name, static_cast<int>(index[c]),
             static_cast<long long>(r), static_cast<long long>(x.cols));
      y.row(r)[c] = x.row(r)[index[c]];
    }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = last_axis_of<T>(t.grad_out(n)), gx = last_axis_of<T>(grads.add(0));
  const int32_t* index = n.attr<GatherAttr>().index;
  for (int64_t r = 0; r < gy.rows; ++r, index += gy.cols)
    for (int64_t c = 0; c < gy.cols; ++c) gx.row(r)[index[c]] += gy.row(r)[c];
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<GatherAttr>();
  return gather_last(t, d[0], a.index, a.count);
}

const Op kGather = {"gather_last", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// Enough indices for the shapes that the error tests try.
constexpr int32_t kIndex[] = {1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1};

const OpCase kCases[] = {
    {"gather_last", {{"23"}}, [](Tape& t, const Var* in) { return gather_last(t, in[0], kIndex, 3); }},
    {"gather_last_shorter", {{"33"}}, [](Tape& t, const Var* in) { return gather_last(t, in[0], kIndex, 2); }},
};

}  // namespace

extern const OpFamily family_gather;
const OpFamily family_gather = {"gather", kCases, std::size(kCases)};

Var gather_last(Tape& t, Var x, const int32_t* index, int64_t count) {
  return t.record(kGather, {x}, GatherAttr{index, count});
}

}  // namespace libnf
