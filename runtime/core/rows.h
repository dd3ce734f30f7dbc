// Views as seen by loops: contiguous runs, or rows with unit inner stride.
#pragma once
#include <type_traits>

#include "runtime/core/view.h"

namespace libnf {

// Dispatches on the dtype: calls f.operator()<float>() or <double>(). Used once per op.
template <class F>
decltype(auto) with_dtype(DType t, F&& f) {
  if (t == DType::u8) [[unlikely]]
    refuse_bytes();
  return t == DType::f64 ? f.template operator()<double>() : f.template operator()<float>();
}

// A matrix with unit inner stride. A contiguous tensor is one long row.
template <class T>
struct Rows {
  T* p;
  int64_t rows, cols, ld;
  T* row(int64_t r) const { return p + r * ld; }
  // Rows [first, first + n), and columns [first, first + n).
  Rows rows_from(int64_t first, int64_t n) const { return {row(first), n, cols, ld}; }
  Rows columns_from(int64_t first, int64_t n) const { return {p + first, rows, n, ld}; }
  operator Rows<const T>() const requires(!std::is_const_v<T>) { return {p, rows, cols, ld}; }
};

// One row as a matrix of `rows` rows.
template <class T>
Rows<const T> shared_row(const T* p, int64_t rows, int64_t cols) {
  return {p, rows, cols, 0};
}

// Rows of `cols` numbers that stay in L1 while several loops run over them, at least one.
inline int64_t rows_of_block(int64_t cols) { return cols < 2048 ? 2048 / (cols > 0 ? cols : 1) : 1; }

// f(first row, number of rows) for every such block of `rows` rows, in order.
template <class F>
void for_row_blocks(int64_t rows, int64_t cols, F&& f) {
  const int64_t step = rows_of_block(cols);
  for (int64_t r = 0; r < rows; r += step) f(r, rows - r < step ? rows - r : step);
}

// True when the view is a matrix (rank <= 2) with unit inner stride.
inline bool is_rows(const View& v) {
  if (v.shape.rank == 2 && v.stride[1] == 1) return true;
  if (v.contiguous()) return true;
  if (v.shape.rank == 1) return v.shape[0] <= 1;
  return v.shape.rank == 2 && v.shape[1] <= 1;
}

// Collapses a contiguous view to one row; any other view must satisfy is_rows.
template <class T>
Rows<T> runs_of(const View& v) {
  if (v.contiguous()) return {v.as<T>(), 1, v.count(), v.count()};
  return {v.as<T>(), v.shape[0], v.shape.rank > 1 ? v.shape[1] : 1, v.stride[0]};
}

// The rest of matrix_of, apart from it so that the usual case is inlined.
template <class T>
Rows<T> matrix_of_other_rank(const View& v) {
  if (v.shape.rank == 1) return {v.as<T>(), v.shape[0], 1, v.stride[0]};
  const int64_t cols = v.shape.last();
  return {v.as<T>(), cols ? v.count() / cols : 0, cols, cols};
}

// Returns the view as a matrix [product of leading extents, last extent]; rank 1 is a column of scalars [n, 1].
template <class T>
Rows<T> matrix_of(const View& v) {
  if (v.shape.rank == 2) return {v.as<T>(), v.shape[0], v.shape[1], v.shape[0] > 1 ? v.stride[0] : v.shape[1]};
  return matrix_of_other_rank<T>(v);
}

// Returns the view as a matrix [product of leading extents, last extent]; rank 1 is one row, rank 0 a row of one
// element.
template <class T>
Rows<T> last_axis_of(const View& v) {
  if (v.shape.rank < 2) return {v.as<T>(), 1, v.count(), v.count()};
  int64_t rows = 1;
  for (int i = 0; i + 1 < v.shape.rank; ++i) rows *= v.shape[i];
  const int64_t cols = v.shape.last();
  return {v.as<T>(), rows, cols, v.contiguous() ? cols : v.stride[0]};
}

// Calls f(a_run, b_run, n) over matching contiguous runs of two views of the same shape.
template <class A, class B, class F>
void for_runs(const View& a, const View& b, F&& f) {
  if (a.contiguous() && b.contiguous()) return f(a.as<A>(), b.as<B>(), a.count());
  const Rows<A> ra{a.as<A>(), a.shape[0], a.shape.rank > 1 ? a.shape[1] : 1, a.stride[0]};
  const Rows<B> rb{b.as<B>(), b.shape[0], b.shape.rank > 1 ? b.shape[1] : 1, b.stride[0]};
  for (int64_t r = 0; r < ra.rows; ++r) f(ra.row(r), rb.row(r), ra.cols);
}

}  // namespace libnf
