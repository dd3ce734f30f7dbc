// Lines around the densest part of a cloud of points, for pictures with more points than can be told apart.
#pragma once
#include <span>
#include <vector>

#include "src/cli/plot/plot.h"

namespace cli {

// Counts of points on a grid over x and over the rest y - slope x, which has no correlation with x: neighbors, over which
// counts are smoothed, lie along a narrow cloud, not across. Row by row from rest.low.
struct Cloud {
  size_t side = 0;
  Range x, rest;
  double slope = 0;
  std::vector<double> density;
  double total = 0;  // of all points, those outside of the ranges included
};
Cloud cloud_of(std::span<const double> x, std::span<const double> y, const Range& range_x, const Range& range_y);

// Returns the density level above which the densest `share` of the points is; 0 if the window holds fewer.
double level_of(const Cloud& cloud, double share);

struct Segment {
  Spot from, to;  // values, not pixels
};
// Returns the line along which the density has this level (marching squares, linear between the middles of cells).
std::vector<Segment> contour(const Cloud& cloud, double level);

}  // namespace cli
