// Parameters that are shared by all rows or given per row.
#pragma once
#include <algorithm>

#include "runtime/kernel/columns.h"
#include "runtime/kernel/unary.h"
#include "runtime/op/layout.h"

namespace libnf {

// Checks that input i has `shared` entries in any contiguous shape, or is [rows, shared].
inline void need_row_params(const Node& n, int i, int64_t rows, int64_t shared) {
  const Dims& p = n.in[i]->out.shape;
  if (p.count() == shared || (p.rank == 2 && p[0] == rows && p[1] == shared)) return;
  fail(Code::shape, "%s: input %d has shape %s, expected %lld numbers or [%lld, %lld]", n.op->name, i,
       to_string(p).c_str(), static_cast<long long>(shared), static_cast<long long>(rows),
       static_cast<long long>(shared));
}

// Returns a matrix of `rows` rows, which are all the same one (ld = 0) if the parameters are shared.
template <class T>
Rows<T> per_row(const View& v, int64_t rows, int64_t shared) {
  if (v.shape.rank == 2 && v.shape[0] == rows && v.shape[1] == shared) return matrix_of<T>(v);
  return {v.as<T>(), rows, shared, 0};
}

// Where loops over all rows of such a matrix need to go: one row when they are shared.
template <class T>
int64_t own_rows(const Rows<T>& p) {
  return p.ld == 0 ? std::min<int64_t>(p.rows, 1) : p.rows;
}

// e^-l in scratch memory, shared as l is; -l itself goes to `minus` if there is one.
template <class T>
Rows<const T> exp_minus(Tape& t, const Rows<T>& l, T* minus = nullptr) {
  const int64_t rows = own_rows(l), n = checked_mul(rows, l.cols);
  T* factor = t.scratch<T>(n);
  kernel::copy_rows<T>({l.p, rows, l.cols, l.ld}, Rows<T>{factor, rows, l.cols, l.cols});
  kernel::scale<T>(-1, factor, factor, n);
  if (minus) kernel::copy<T>(factor, minus, n);
  kernel::unary<T>(kernel::Unary::exp, 0, factor, factor, n);
  return {factor, l.rows, l.cols, l.ld == 0 ? 0 : l.cols};
}

}  // namespace libnf
