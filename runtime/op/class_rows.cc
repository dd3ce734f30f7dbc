// y[r] = table[label[r]]: exact copies. The gradient of a table row is the sum over the rows with that label, in order.
#include "runtime/op/class_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernel/binary.h"
#include "runtime/op/family.h"
#include "runtime/op/layout.h"
#include "runtime/op/ops.h"

namespace libnf {
namespace {

struct ClassRowsAttr {
  bool one_hot;
};

Shapes shape(const Node& n) {
  need_rank(n, 0, 2);
  need_rank(n, 1, 2);
  const Dims& table = n.in[0]->out.shape;
  need_extent(n, 1, 1, n.attr<ClassRowsAttr>().one_hot ? table[0] : 1);
  Shapes s;
  s.out = {n.in[1]->out.shape[0], table[1]};
  return s;
}

// Calls f(row, label) for every row.
template <class T, class F>
void each_label(const Node& n, F&& f) {
  const auto labels = matrix_of<T>(n.view(1));
  const bool one_hot = n.attr<ClassRowsAttr>().one_hot;
  for (int64_t r = 0; r < labels.rows; ++r) f(r, label_of(labels.row(r), n.in[0]->out.shape[0], one_hot));
}

template <class T>
void forward(Tape&, Node& n) {
  const auto table = matrix_of<T>(n.view(0)), y = matrix_of<T>(n.out);
  each_label<T>(n, [&](int64_t r, int64_t label) {
    if (label < 0)
      std::fill_n(y.row(r), y.cols, std::numeric_limits<T>::quiet_NaN());
    else
      kernel::copy<T>(table.row(label), y.row(r), y.cols);
  });
}

template <class T>
void vjp(Tape& t, Node& n, const InputGrads& grads) {
  if (!grads.wants(0)) return;
  const auto g = matrix_of<T>(t.grad_out(n)), table = matrix_of<T>(grads.add(0));
  each_label<T>(n, [&](int64_t r, int64_t label) {
    if (label >= 0) kernel::accumulate<T>(g.row(r), table.row(label), g.cols);
  });
}

OutputTangents tangent(Tape& t, Node& n, const InputTangents& d) {
  return d[0] ? class_rows(t, d[0], n.in[1], n.attr<ClassRowsAttr>().one_hot) : nullptr;
}

const Op kClassRows = {"class_rows", Layout::rows, shape, NF_BOTH(forward), NF_BOTH(vjp), tangent};

const OpCase kCases[] = {
    {"class_rows",
     {{"1d"}, {"n1", Domain::real, false}},
     [](Tape& t, const Var* in) { return class_rows(t, in[0], scale(t, in[1], 0), false); }},
};

}  // namespace

extern const OpFamily family_class_rows;
const OpFamily family_class_rows = {"class_rows", kCases, std::size(kCases)};

template <class T>
int64_t label_of(const T* p, int64_t classes, bool one_hot) {
  if (!one_hot) return *p >= 0 && *p < static_cast<T>(classes) && *p == std::floor(*p) ? static_cast<int64_t>(*p) : -1;
  int64_t label = -1;
  for (int64_t c = 0; c < classes; ++c) {
    if (p[c] == 0) continue;
    if (p[c] != 1 || label >= 0) return -1;
    label = c;
  }
  return label;
}
template int64_t label_of(const float*, int64_t, bool);
template int64_t label_of(const double*, int64_t, bool);

Var class_rows(Tape& t, Var table, Var labels, bool one_hot) {
  return t.record(kClassRows, {table, labels}, ClassRowsAttr{one_hot});
}

}  // namespace libnf
