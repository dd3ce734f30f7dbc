// Ops that move data: shared views, gathers and concatenation of columns, and the test cases of the tape's own copy
// (runtime/tape/contiguous.cc). All are exact; their gradients are the reverse moves.
#include <utility>

#include "runtime/kernel/columns.h"
#include "runtime/kernel/gemm.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

// ---- gather ------------------------------------------------------------------------------------------------------

struct GatherAttr {
  const int32_t* index;  // borrowed
  int64_t count;
};

Shapes gather_shape(const Node& n) {
  need_rank(n, 0, 2);
  Shapes s;
  s.out = {n.in[0]->out.shape[0], n.attr<GatherAttr>().count};
  return s;
}

template <class T>
void gather_forward(Tape& t, Node& n) {
  const auto x = matrix_of<T>(n.view(0)), y = matrix_of<T>(n.out);
  kernel::gather_columns<T>(x, n.attr<GatherAttr>().index, y);
  if constexpr (std::is_same_v<T, float>) {
    const float* low = n.in[0]->low;
    if (!low || !t.keeps_low) return;
    n.low = t.take_low(n);
    kernel::gather_columns<T>({low, x.rows, x.cols, x.ld}, n.attr<GatherAttr>().index, {n.low, y.rows, y.cols, y.ld});
  }
}

template <class T>
void gather_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = matrix_of<T>(t.grad_out(n)), gx = matrix_of<T>(grads.add(0));
  kernel::scatter_add_columns<T>(gy, n.attr<GatherAttr>().index, gx);
}

OutputTangents gather_tangent(Tape& t, Node& n, const InputTangents& d) {
  const auto& a = n.attr<GatherAttr>();
  return gather_columns(t, d[0], a.index, a.count);
}

const Op kGather = {"gather_columns",        Layout::rows,        gather_shape,
                    NF_BOTH(gather_forward), NF_BOTH(gather_vjp), gather_tangent};

// ---- concat ------------------------------------------------------------------------------------------------------

Shapes concat_shape(const Node& n) {
  need_rank(n, 0, 2);
  need_rank(n, 1, 2);
  need_extent(n, 1, 0, n.in[0]->out.shape[0]);
  Shapes s;
  s.out = {n.in[0]->out.shape[0], checked_add(n.in[0]->out.shape[1], n.in[1]->out.shape[1])};
  return s;
}

template <class T>
void concat_forward(Tape&, Node& n) {
  const auto a = matrix_of<T>(n.view(0)), b = matrix_of<T>(n.view(1)), y = matrix_of<T>(n.out);
  kernel::copy_rows<T>(a, y.columns_from(0, a.cols));
  kernel::copy_rows<T>(b, y.columns_from(a.cols, b.cols));
}

template <class T>
void concat_vjp(Tape& t, Node& n, const InputGrads& grads) {
  const auto gy = matrix_of<T>(t.grad_out(n));
  int64_t first = 0;
  for (int i = 0; i < 2; ++i) {
    const int64_t cols = n.view(i).shape[1];
    if (grads.wants(i)) {
      const auto gx = matrix_of<T>(grads.add(i));
      kernel::binary_rows<T>(kernel::Binary::add, gx, gy.columns_from(first, cols), gx);
    }
    first += cols;
  }
}

OutputTangents concat_tangent(Tape& t, Node& n, const InputTangents& d) {
  Var a = d[0] ? d[0] : t.zeros(n.in[0]->out.shape);
  Var b = d[1] ? d[1] : t.zeros(n.in[1]->out.shape);
  return concat_columns(t, a, b);
}

const Op kConcat = {"concat_columns",        Layout::rows,        concat_shape,
                    NF_BOTH(concat_forward), NF_BOTH(concat_vjp), concat_tangent};

constexpr int32_t kReversed[] = {2, 1, 0};
constexpr int32_t kRepeated[] = {1, 1, 0, 2, 1};

const OpCase kCases[] = {
    {"contiguous", {{"nd"}}, [](Tape& t, const Var* in) { return contiguous(t, in[0]); }},
    {"reshape",
     {{"n6"}},
     [](Tape& t, const Var* in) {
       return reshape(t, in[0], {in[0]->out.shape[0], 2, 3});
     }},
    {"slice_columns", {{"n4"}}, [](Tape& t, const Var* in) { return slice_columns(t, in[0], 1, 2); }},
    {"transpose", {{"nd"}}, [](Tape& t, const Var* in) { return contiguous(t, transpose(t, in[0])); }},
    {"permute",
     {{"ncd"}},
     [](Tape& t, const Var* in) {
       return contiguous(t, permute(t, in[0], {0, 2, 1}));
     }},
    {"gather_permute", {{"n3"}}, [](Tape& t, const Var* in) { return gather_columns(t, in[0], kReversed, 3); }},
    {"gather_repeat", {{"n3"}}, [](Tape& t, const Var* in) { return gather_columns(t, in[0], kRepeated, 5); }},
    {"concat_columns", {{"nd"}, {"ne"}}, [](Tape& t, const Var* in) { return concat_columns(t, in[0], in[1]); }},
};

}  // namespace

extern const OpFamily family_columns;
const OpFamily family_columns = {"columns", kCases, std::size(kCases)};

Var reshape(Tape& t, Var x, const Dims& shape) {
  if (shape.count() != x->out.count())
    fail(Code::shape, "reshape: %s does not hold the elements of %s", to_string(shape).c_str(),
         to_string(x->out.shape).c_str());
  x = conform(t, x, Layout::contiguous);
  return t.alias(x, contiguous_view(x->out.data, x->out.dtype, shape));
}

Var slice_columns(Tape& t, Var x, int64_t first, int64_t count) {
  const View& v = x->out;
  if (v.shape.rank != 2 || first < 0 || count < 0 || first > v.shape[1] - count)
    fail(Code::shape, "slice_columns: columns [%lld, %lld) of %s", static_cast<long long>(first),
         static_cast<long long>(first + count), to_string(v.shape).c_str());
  View y = v;
  y.shape[1] = count;
  y.data = static_cast<char*>(v.data) + first * v.stride[1] * size_of(v.dtype);
  return t.alias(x, y);
}

Var permute(Tape& t, Var x, std::initializer_list<int> order) {
  const View& v = x->out;
  View y = v;
  y.shape = Dims{};
  unsigned seen = 0;
  for (int axis : order) {
    if (axis < 0 || axis >= v.shape.rank || (seen >> axis & 1))
      fail(Code::shape, "permute: axes are not a permutation of those of %s", to_string(v.shape).c_str());
    seen |= 1u << axis;
    y.stride[y.shape.rank] = v.stride[axis];
    y.shape.d[y.shape.rank++] = v.shape[axis];
  }
  if (y.shape.rank != v.shape.rank)
    fail(Code::shape, "permute: %d axes for %s", y.shape.rank, to_string(v.shape).c_str());
  return t.alias(x, y);
}

Var transpose(Tape& t, Var x) {
  View y = x->out;
  const int rank = y.shape.rank;
  if (rank < 2) fail(Code::shape, "transpose: %s has fewer than two axes", to_string(y.shape).c_str());
  std::swap(y.shape.d[rank - 1], y.shape.d[rank - 2]);
  std::swap(y.stride[rank - 1], y.stride[rank - 2]);
  return t.alias(x, y);
}

Var gather_columns(Tape& t, Var x, const int32_t* index, int64_t count) {
  return t.record(kGather, {x}, GatherAttr{index, count});
}

Var concat_columns(Tape& t, Var a, Var b) { return t.record(kConcat, {a, b}); }

}  // namespace libnf
