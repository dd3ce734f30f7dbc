// Copies of columns of matrices whose rows are ld elements apart. Exact; runs of neighboring columns move as one.
#pragma once
#include <type_traits>

#include "runtime/kernel/rows.h"

namespace nf::kernel {

// True when index is first, first + 1, ...: such columns are a matrix of their own (Rows::columns_from).
bool neighbors(const int32_t* index, int64_t m);

template <class T>
void copy_rows(Input<T> x, Rows<T> y);  // y = x
template <class T>
void gather_columns(Input<T> x, const int32_t* index, Rows<T> y);  // y[r, j] = x[r, index[j]]
template <class T>
void scatter_columns(Input<T> x, const int32_t* index, Rows<T> y);  // y[r, index[j]] = x[r, j]
template <class T>
void scatter_add_columns(Input<T> x, const int32_t* index, Rows<T> y);  // y[r, index[j]] += x[r, j], j in order

}  // namespace nf::kernel
