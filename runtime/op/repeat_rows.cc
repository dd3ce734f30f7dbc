// y[r] = x[0] for n rows: exact copies; gx = sum_r gy[r] in row order.
#include "runtime/op/repeat_rows.h"

#include "runtime/kernel/columns.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"

namespace libnf {
namespace {

struct RepeatRowsAttr {
  int64_t count;
};

Shapes shape(const Node& n) {
  need_rank(n, 0, 2);
  need_extent(n, 0, 0, 1);
  Shapes s;
  s.out = {n.attr<RepeatRowsAttr>().count, n.in[0]->out.shape[1]};
  return s;
}

template <class T>
void forward(Tape&, Node& n) {
  const auto y = matrix_of<T>(n.out);
  kernel::copy_rows<T>(shared_row(n.x<T>(0), y.rows, y.cols), y);
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  T* gx = grads.add(0).as<T>();
  const auto gy = matrix_of<T>(t.grad_out(n));
  kernel::col_sum_add<T>(gy.p, gy.ld, gy.rows, gy.cols, gx);
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return repeat_rows(t, d[0], n.attr<RepeatRowsAttr>().count);
}

const Op kRepeatRows = {"repeat_rows", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"repeat_rows", {{"1d"}}, [](Tape& t, const Var* in) { return repeat_rows(t, in[0], 5); }},
};

}  // namespace

extern const OpFamily family_repeat_rows;
const OpFamily family_repeat_rows = {"repeat_rows", kCases, std::size(kCases)};

Var repeat_rows(Tape& t, Var x, int64_t n) { return t.record(kRepeatRows, {x}, RepeatRowsAttr{n}); }

}  // namespace libnf
