#include "runtime/op/layout.h"

#include "runtime/op/ops.h"

namespace nf {

bool is_rows(const View& v) {
  if (v.contiguous()) return true;
  if (v.shape.rank == 1) return v.shape[0] <= 1;
  return v.shape.rank == 2 && (v.stride[1] == 1 || v.shape[1] <= 1);
}

Var conform(Tape& t, Var x, Layout layout) {
  const bool fits = layout == Layout::rows ? is_rows(x->out) : x->out.contiguous();
  return fits ? x : contiguous(t, x);
}

Shapes same_as_first(const Node& n) {
  Shapes s;
  s.out = n.in[0]->out.shape;
  return s;
}

void need_rank(const Node& n, int input, int rank) {
  const Dims& d = n.in[input]->out.shape;
  if (d.rank != rank)
    fail(Code::shape, "%s: input %d has shape %s, expected rank %d", n.op->name, input, to_string(d).c_str(), rank);
}

void need_extent(const Node& n, int input, int axis, int64_t extent) {
  const Dims& d = n.in[input]->out.shape;
  if (d.rank <= axis || d[axis] != extent)
    fail(Code::shape, "%s: input %d has shape %s, expected extent %lld on axis %d", n.op->name, input,
         to_string(d).c_str(), static_cast<long long>(extent), axis);
}

}  // namespace nf
