// The loops of statistics over a batch: sums over rows for every column, in row order, and what uses them
// (runtime/op/batch_normalize.cc has the formulas). Rows with weight[r] <= 0 do not count; nullptr: all do. Sums in
// double, except column_terms. Every operation is rounded on its own: the same bits on every SIMD target. A matrix with
// ld = 0 is one row for all.
#pragma once
#include <type_traits>

#include "runtime/core/rows.h"

namespace libnf::kernel {

template <class T>
void column_sums(const double* weight, Rows<const T> x, double* out);  // out += sum_r x
// out += sum_r (x - mean), squares += sum_r (x - mean)^2
template <class T>
void column_deviations(const double* weight, Rows<const T> x, const double* mean, double* out, double* squares);
// out += sum_r g, dots += sum_r g z
template <class T>
void column_dots(const double* weight, Rows<const T> g, Rows<const T> z, double* out, double* dots);

// z = (x - mean) rate, computed in double.
template <class T>
void normalize_rows(Rows<const T> x, const double* mean, const double* rate, Rows<T> z);
// gx += rate (gz - shift - z slope) in the rows that count.
template <class T>
void normalize_grad_rows(const double* weight, Rows<const T> gz, Rows<const T> z, const T* rate, const T* shift,
                         const T* slope, Rows<T> gx);

// Sums in T: out += sum_r of a term, rounded in the order of the formula.
enum class ColumnTerm : uint8_t {
  value,    // x
  minus,    // -x a
  product,  // (x a) b
};
template <class T>
void column_terms(ColumnTerm f, Rows<const T> x, Rows<const T> a, Rows<const T> b, T* out);

}  // namespace libnf::kernel
