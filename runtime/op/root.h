// Roots of many increasing functions of one variable at once: x_i with f_i(x_i) = y_i. Newton steps are kept inside a
// bracket, and replaced by bisection if they leave it or do not halve the residual.
//
// An element is done if |f(x) - y| <= tolerance max(1, |y|), or if no better x is representable: the residual is a few
// roundings of y and of x f'(x), or there is no number inside the bracket. One more Newton step follows, so the error
// is usually far below the tolerance. The bits of an element depend only on that element, not on the others, their
// number or lanes. Elements whose y or f is NaN get NaN, which is not an error here.
#pragma once
#include <cstdint>

#include "runtime/op/row_scope.h"

namespace libnf {

struct RootLimits {
  double tolerance = 1e-12;
  int64_t max_iterations = 100;  // evaluations of f
};

template <class T>
class RootFunction {
 public:
  virtual ~RootFunction() = default;
  // Computes f and f' of elements which[0 ... count) at x[0 ... count), in that order.
  virtual void evaluate(int64_t count, const int32_t* which, const T* x, T* f, T* slope) const = 0;
};

template <class T>
struct Roots {
  int64_t n;              // one per row of the scope
  const T* y;             // targets
  T* x;                   // in: starting points inside the brackets; out: the roots
  T *low, *high;          // brackets, overwritten; infinite where they must be found
  T* residual = nullptr;  // optional output: f(x) - y before the last Newton step
};

// Throws Error{not_inverted} naming the first row that misses the tolerance, by its index in all of the data, unless
// the tape is measuring.
template <class T>
void find_roots(const RowScope& s, const RootLimits& limits, const RootFunction<T>& f, const Roots<T>& roots);

}  // namespace libnf
