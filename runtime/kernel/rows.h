// Element-wise arithmetic on matrices whose rows are ld elements apart (runtime/core/rows.h); the shape is that of y.
// An input with ld = 0 is one row that all rows of y share. Every multiplication, addition and division is rounded on
// its own in the order of the formulas, except where "fused" is said, which is one rounding on targets with FMA: the
// same bits on every SIMD target otherwise. An element's bits do not depend on where it stands. y may be an input. An
// update of a y with ld = 0 adds up all rows in their order.
#pragma once
#include <type_traits>

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"

namespace libnf::kernel {

template <class T>
using Input = std::type_identity_t<Rows<const T>>;

template <class T>
void binary_rows(Binary f, Input<T> x, Input<T> b, Rows<T> y);  // y = x op b

enum class RowMap : uint8_t {
  forward,  // x a + b
  inverse,  // (x - b) a
  divide,   // (x - b) / a
  film,     // x (1 + a) + b
};
template <class T>
void affine_rows(RowMap f, Input<T> x, Input<T> a, Input<T> b, Rows<T> y);

enum class RowUpdate : uint8_t {
  fused,  // y + x a, fused
  minus,  // y - x / a
  film,   // y + x (1 + a)
};
template <class T>
void update_rows(RowUpdate f, Input<T> x, Input<T> a, Rows<T> y);

// y += sign g a with one g for every row, fused.
template <class T>
void axpy_rows(T sign, const std::type_identity_t<T>* g, Input<T> a, Rows<T> y);
// y += sign g (a b - sign), g for every row, sign 1 or -1.
template <class T>
void slope_rows(T sign, const std::type_identity_t<T>* g, Input<T> a, Input<T> b, Rows<T> y);

// The gradient of the number behind a scale a, whose logarithm is in a log-det with the gradient gl (nullptr: 0):
//   forward  y += ((g x) a + gl) slope;   otherwise  y -= (g x + gl) slope, x the output
template <class T>
void log_scale_rows(RowMap f, Input<T> g, Input<T> x, Input<T> a, const std::type_identity_t<T>* gl, Input<T> slope,
                    Rows<T> y);

}  // namespace libnf::kernel
