// Importance sampling: the model q is the proposal for an unnormalized target p~, with weights w = p~/q. Sums are
// updated sample by sample relative to the largest log weight, so the summary takes no memory and no weight overflows.
//   Z = mean(w), standard error of log Z by the delta method: sd(w)/(mean(w) sqrt(n))
//   effective sample size (sum w)^2 / sum w^2 (Kong 1992)
#pragma once
#include "runtime/core/executor.h"
#include "src/model/session.h"
#include "src/target/target.h"

namespace libnf {

struct ImportanceSummary {
  int64_t samples = 0;
  double log_z, log_z_error, ess, reverse_kl, reverse_kl_error, largest_share;
};

// Uses samples [first, first + n) of `seed`, n >= 1; context [1, c] or no data. Writes x [n, event] and log_weight [n]
// if they have data. The bits do not depend on the number of threads. Throws Error{numeric} naming a sample that is not
// finite.
ImportanceSummary importance(const Allocator& allocator, Executor& executor, Session& session, const Density& model,
                             const Target& target, uint64_t seed, uint64_t first, int64_t n, const View& context,
                             const View& x, const View& log_weight);

// Computes the mean [k] of values [n, k] with weights exp(log_weight [n]), n >= 1, and standard errors [k] if error has
// data.
void importance_mean(const View& log_weight, const View& values, const View& mean, const View& error);

}  // namespace libnf
