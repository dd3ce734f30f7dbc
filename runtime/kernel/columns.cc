// Loops of runtime/kernel/columns.h. Indices go one element at a time: a hardware gather is no faster, and far slower on
// CPUs with a fix for Downfall.
#include "runtime/kernel/columns.h"

#include <cstring>

namespace libnf::kernel {

int64_t column_step(const int32_t* index, int64_t m) {
  if (m < 2) return 1;
  const int64_t step = index[1] - index[0];
  for (int64_t j = 2; j < m; ++j)
    if (index[j] != index[0] + j * step) return 0;
  return step;
}

template <class T>
void copy_rows(Input<T> x, Rows<T> y) {
  const auto bytes = static_cast<size_t>(y.cols) * sizeof(T);
  if (y.rows == 0 || y.cols == 0) return;
  const bool packed = x.ld == y.cols && y.ld == y.cols;
  if (y.cols < 8 && (y.rows == 1 || !packed)) {  // a call would cost more than the row
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y.row(r)[c] = x.row(r)[c];
  } else if (packed) {
    std::memmove(y.p, x.p, static_cast<size_t>(y.rows) * bytes);
  } else {
    for (int64_t r = 0; r < y.rows; ++r) std::memmove(y.row(r), x.row(r), bytes);
  }
}

// f(index[j], j) for every j, without reading the list where every other column is meant.
template <class F>
void each_column(const int32_t* index, int64_t m, int64_t step, const F& f) {
  if (step == 2) {
    const int64_t first = index[0];
    for (int64_t j = 0; j < m; ++j) f(first + 2 * j, j);
  } else {
    for (int64_t j = 0; j < m; ++j) f(index[j], j);
  }
}

template <class T>
void gather_columns(Input<T> x, const int32_t* index, Rows<T> y, int64_t step) {
  const int64_t m = y.cols;
  if (m == 0) return;
  if (step == kFindStep) step = column_step(index, m);
  if (step == 1) return copy_rows<T>(x.columns_from(index[0], m), y);
  for (int64_t r = 0; r < y.rows; ++r) {
    const T* from = x.row(r);
    T* to = y.row(r);
    each_column(index, m, step, [=](int64_t column, int64_t j) { to[j] = from[column]; });
  }
}

template <class T>
void scatter_columns(Input<T> x, const int32_t* index, Rows<T> y, int64_t step) {
  const int64_t m = x.cols;
  if (m == 0) return;
  if (step == kFindStep) step = column_step(index, m);
  if (step == 1) return copy_rows<T>(x, y.columns_from(index[0], m));
  for (int64_t r = 0; r < x.rows; ++r) {
    const T* from = x.row(r);
    T* to = y.row(r);
    each_column(index, m, step, [=](int64_t column, int64_t j) { to[column] = from[j]; });
  }
}

template <class T>
void scatter_add_columns(Input<T> x, const int32_t* index, Rows<T> y) {
  if (x.cols > 0 && column_step(index, x.cols) == 1) {
    const Rows<T> to = y.columns_from(index[0], x.cols);
    return binary_rows<T>(Binary::add, to, x, to);
  }
  for (int64_t r = 0; r < x.rows; ++r) {
    const T* from = x.row(r);
    T* to = y.row(r);
    for (int64_t j = 0; j < x.cols; ++j) to[index[j]] += from[j];
  }
}

#define NF_DEFINE(T)                                                            \
  template void copy_rows<T>(Input<T>, Rows<T>);                                \
  template void gather_columns<T>(Input<T>, const int32_t*, Rows<T>, int64_t);  \
  template void scatter_columns<T>(Input<T>, const int32_t*, Rows<T>, int64_t); \
  template void scatter_add_columns<T>(Input<T>, const int32_t*, Rows<T>);
NF_DEFINE(float)
NF_DEFINE(double)
#undef NF_DEFINE

}  // namespace libnf::kernel
