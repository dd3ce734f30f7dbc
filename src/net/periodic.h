// What a net sees of columns some of which are angles: an angle enters as its sine and cosine, so that the net's output
// is the same function at both ends of the circle.
#pragma once
#include <vector>

#include "runtime/tape/tape.h"

namespace nf {

struct Seen {
  enum Kind : uint8_t { plain, sine, cosine } kind = plain;  // x_c, sin(f (x_c - centre)), cos(f (x_c - centre))
  int32_t column = 0;
  double centre = 0, factor = 1;
  double of(double x) const;     // what is seen of x
  double slope(double x) const;  // its derivative
};

// [n, d] -> [n, seen.size()]; `seen` is borrowed. Functions of the C library in float64.
Var see_columns(Tape& t, const std::vector<Seen>& seen, Var x);

}  // namespace nf
