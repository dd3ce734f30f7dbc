// Parameters that are shared by all rows or given per row.
#pragma once
#include "runtime/op/layout.h"

namespace nf {

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

}  // namespace nf
