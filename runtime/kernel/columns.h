// Copies of columns of matrices whose rows are ld elements apart. Exact; runs of neighboring columns move as one.
#pragma once
#include <type_traits>

#include "runtime/kernel/rows.h"

namespace libnf::kernel {

// The constant step of index, or 0 when there is none. Columns with step 1, which is also the step of fewer than two, are
// a matrix of their own (Rows::columns_from). What follows finds the step itself when it is not given.
int64_t column_step(const int32_t* index, int64_t m);
constexpr int64_t kFindStep = INT64_MIN;

template <class T>  // y = x
void copy_rows(Input<T> x, Rows<T> y);
template <class T>  // y[r, j] = x[r, index[j]]
void gather_columns(Input<T> x, const int32_t* index, Rows<T> y, int64_t step = kFindStep);
template <class T>  // y[r, index[j]] = x[r, j]
void scatter_columns(Input<T> x, const int32_t* index, Rows<T> y, int64_t step = kFindStep);
template <class T>  // y[r, index[j]] += x[r, j], j in order
void scatter_add_columns(Input<T> x, const int32_t* index, Rows<T> y);

}  // namespace libnf::kernel
