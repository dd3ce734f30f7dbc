// Splines of a fit to a target.
#pragma once
#include <string>

namespace cli {

// Fills in what the spec leaves open about the steepness of rational-quadratic splines, for a model that is trained on its
// own samples: bins of at least a quarter of their mean size (at most 2 % of the interval) and slopes of at least 0.05
// instead of 0.001. Such a fit sees the density only where it samples. With the usual limits, splines grow edges that are
// too narrow to be hit, so nothing holds them back until a sample lands on one and its gradient throws the fit off.
// A spec that says all of it, or has no such splines, comes back as it is.
std::string soften_splines(const std::string& spec);

}  // namespace cli
