// The two directions in which rows spread most (principal components).
#pragma once
#include <vector>

#include "src/cli/plot/plot.h"

namespace cli {

struct Plane {
  std::vector<Spot> points;      // of each row
  double first = 0, second = 0;  // shares of the variance along the two directions
};

// Projects rows of finite numbers onto their two principal components; two columns stay as they are, of one the second
// coordinate is 0. Each direction points to where its largest entry is positive.
Plane principal_plane(const Matrix& rows);

}  // namespace cli
