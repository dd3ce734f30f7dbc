// Input features of a net. An angle enters as its sine and cosine, so that the net's output is continuous across the
// wrap-around; other columns enter as they are.
#pragma once
#include <span>

#include "runtime/tape/tape.h"

namespace libnf {

struct ColumnFeature {
  enum Kind : uint8_t { value, sine, cosine } kind = value;  // x_c, sin(f (x_c - center)), cos(f (x_c - center))
  int32_t column = 0;
  double center = 0, factor = 1;
  double of(double x) const;
  double slope(double x) const;  // the derivative
};

// [n, d] -> [n, features]; the list is borrowed. Computed by the C library in float64.
Var column_features(Tape& t, std::span<const ColumnFeature> features, Var x);

}  // namespace libnf
