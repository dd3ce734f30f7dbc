// Importance sampling: the model q as proposal for an unnormalised target p~, weights w = p~/q. Everything is summed
// with the largest log weight taken out, sample after sample: the summary takes no memory, and no weight overflows.
//   Z = mean(w), standard error of log Z by the delta method: sd(w)/(mean(w) sqrt(n))
//   effective sample size (sum w)^2 / sum w^2 (Kong 1992)
#pragma once
#include "runtime/core/executor.h"
#include "src/model/session.h"
#include "src/target/target.h"

namespace nf {

struct ImportanceSummary {
  int64_t samples = 0;
  double log_z, log_z_error, ess, reverse_kl, reverse_kl_error, largest_share;
};

// Samples [first, first + n) of `seed`, n >= 1; context [1, c] or no data. x [n, event] and log_weight [n] are written
// where they have data. The same bits for any number of threads. Error{numeric} naming a sample that is not finite.
ImportanceSummary importance(const Allocator& allocator, Executor& executor, Session& session, const Density& model,
                             const Target& target, uint64_t seed, uint64_t first, int64_t n, const View& context,
                             const View& x, const View& log_weight);

// mean [k] of values [n, k] under weights exp(log_weight [n]), n >= 1; standard errors [k] where error has data.
void importance_mean(const View& log_weight, const View& values, const View& mean, const View& error);

}  // namespace nf
