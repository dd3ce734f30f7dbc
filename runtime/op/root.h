// Roots of many increasing functions of one variable at once: x_i with f_i(x_i) = y_i, by Newton steps that are kept
// inside a bracket and replaced by bisection where they leave it or do not halve the residual.
//
// An element is done when |f(x) - y| <= tolerance max(1, |y|), or when the numbers resolve nothing finer: the residual
// is a few roundings of y and of x f'(x), or the bracket has no number inside. One more Newton step follows, so the
// error is usually far below the tolerance. Its bits depend on that element only: never on the others, on their number
// or on lanes. Elements whose y or f is not a number get NaN; they are not errors here.
#pragma once
#include <cstdint>

#include "runtime/op/row_scope.h"

namespace nf {

struct RootLimits {
  double tolerance = 1e-12;
  int64_t max_iterations = 100;  // evaluations of f
};

template <class T>
class RootFunction {
 public:
  virtual ~RootFunction() = default;
  // f and f' of elements which[0 ... count) at x[0 ... count), in that order.
  virtual void evaluate(int64_t count, const int32_t* which, const T* x, T* f, T* slope) const = 0;
};

template <class T>
struct Roots {
  int64_t n;              // one for every row of the scope
  const T* y;             // targets
  T* x;                   // in: where to start, inside the bracket; out: the roots
  T *low, *high;          // brackets, overwritten; infinities where they have to be found
  T* residual = nullptr;  // f(x) - y before the last Newton step, when asked for
};

// Error{not_inverted} names the first row that misses the tolerance, by its number in the whole data, unless the tape
// is measuring.
template <class T>
void find_roots(const RowScope& s, const RootLimits& limits, const RootFunction<T>& f, const Roots<T>& roots);

}  // namespace nf
