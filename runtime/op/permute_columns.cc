// y[:, j] = x[:, order[j]] and its inverse, for an order that is a tensor of the model (gather_columns takes constants).
// Exact; the gradient goes the other way.
#include <limits>

#include "runtime/kernel/binary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

enum { kX, kOrder };

struct PermuteAttr {
  bool inverse;
};

Shapes shape(const Node& n) {
  need_rank(n, kX, 2);
  need_rank(n, kOrder, 1);
  need_extent(n, kOrder, 0, n.in[kX]->out.shape[1]);
  return same_as_first(n);
}

// The order as indices, in scratch memory; nullptr if it is none, which only memory that was overwritten can be: models
// check the tensor when it is loaded or set.
template <class T>
const int64_t* indices(Tape& t, const Node& n) {
  const int64_t d = n.out.shape[1];
  const View order = n.view(kOrder);
  auto* index = t.scratch<int64_t>(d);
  for (int64_t j = 0; j < d; ++j) {
    const T v = order.as<T>()[j * order.stride[0]];
    if (!(v >= 0 && v < static_cast<T>(d))) return nullptr;
    index[j] = static_cast<int64_t>(v);
  }
  return index;
}

template <class T>
void forward(Tape& t, Node& n) {
  const ScratchScope scope(t);
  const int64_t* index = indices<T>(t, n);
  const auto x = matrix_of<T>(n.view(kX)), y = matrix_of<T>(n.out);
  const bool inverse = n.attr<PermuteAttr>().inverse;
  if (!index) {
    for (int64_t r = 0; r < y.rows; ++r) kernel::fill<T>(std::numeric_limits<T>::quiet_NaN(), y.row(r), y.cols);
    return;
  }
  for (int64_t r = 0; r < y.rows; ++r)
    for (int64_t j = 0; j < y.cols; ++j) {
      if (inverse)
        y.row(r)[index[j]] = x.row(r)[j];
      else
        y.row(r)[j] = x.row(r)[index[j]];
    }
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  if (!grads.wants(kX)) return;
  const View g = grads.add(kX);
  const ScratchScope scope(t);
  const int64_t* index = indices<T>(t, n);
  if (!index) return;
  const auto gy = matrix_of<T>(t.grad_out(n)), gx = matrix_of<T>(g);
  const bool inverse = n.attr<PermuteAttr>().inverse;
  for (int64_t r = 0; r < gy.rows; ++r)
    for (int64_t j = 0; j < gy.cols; ++j) {
      if (inverse)
        gx.row(r)[j] += gy.row(r)[index[j]];
      else
        gx.row(r)[index[j]] += gy.row(r)[j];
    }
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return d[kX] ? permute_columns(t, d[kX], n.in[kOrder], n.attr<PermuteAttr>().inverse) : nullptr;
}

const Op kPermuteColumns = {"permute_columns", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

// The columns in turn, from the second one on.
Var turned(Tape& t, Var x) {
  const int64_t d = x->out.shape[1];
  Var order = t.zeros({d});
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t j = 0; j < d; ++j) order->out.as<T>()[j] = static_cast<T>((j + 1) % d);
  });
  return order;
}

const OpCase kCases[] = {
    {"permute_columns",
     {{"nd"}},
     [](Tape& t, const Var* in) { return permute_columns(t, in[0], turned(t, in[0]), false); }},
    {"permute_columns_inverse",
     {{"nd"}},
     [](Tape& t, const Var* in) { return permute_columns(t, in[0], turned(t, in[0]), true); }},
};

}  // namespace

extern const OpFamily family_permute_columns;
const OpFamily family_permute_columns = {"permute_columns", kCases, std::size(kCases)};

Var permute_columns(Tape& t, Var x, Var order, bool inverse) {
  return t.record(kPermuteColumns, {x, order}, PermuteAttr{inverse});
}

}  // namespace libnf
