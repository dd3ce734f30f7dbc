// Shows what importance sampling cannot see by itself: a part of the target where the proposal has next to no samples
// takes no part in the weights, so that log Z is too small and its error as well. Rows of the target, if there are some,
// have large weights there.
#pragma once
#include <cstdint>

#include "runtime/core/view.h"

namespace libnf {

struct CoverageSummary {
  int64_t samples = 0, target_samples = 0;
  double log_z = 0, log_z_error = 0, deviation = 0, forward_kl = 0, forward_kl_error = 0, outside = 0, outside_p = 1;
};

// Estimates log Z from the log weights log p~ - log q of samples of the proposal [n] and of rows of the target [m], n, m >=
// 1, and compares it with that of the former alone. The estimate weighs each row by the probability that it is from the
// other set (Bennett 1976; bridge sampling, Meng & Wong 1996), which is bounded, so no row dominates. Throws
// Error{numeric} for a weight that cannot be: NaN, infinity at a sample, 0 at a row of the target.
CoverageSummary coverage(const View& log_weight, const View& target_log_weight);

}  // namespace libnf
