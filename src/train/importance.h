// Importance sampling: the model q is the proposal for an unnormalized target p~, with weights w = p~/q. Sums are
// updated sample by sample relative to the largest log weight, so no weight overflows.
//   Z = mean(w), standard error of log Z by the delta method: sd(w)/(mean(w) sqrt(n))
//   effective sample size (sum w)^2 / sum w^2 (Kong 1992)
//   Pareto k of the largest weights, and the same numbers with these smoothed (pareto.h)
// The only memory is that of the largest weights.
#pragma once
#include "runtime/core/executor.h"
#include "src/model/session.h"
#include "src/target/target.h"

namespace libnf {

struct ImportanceSummary {
  int64_t samples = 0;
  double log_z, log_z_error, ess, reverse_kl, reverse_kl_error, largest_share;
  double pareto_k, smoothed_log_z, smoothed_log_z_error, smoothed_ess;
};

// Uses samples [first, first + n) of `seed`, n >= 1; context [1, c] or no data. Writes x [n, event] and log_weight [n]
// if they have data. The bits do not depend on the number of threads. Throws Error{numeric} naming a sample that is not
// finite, or if the target rounds its log densities so coarsely that log Z is wrong.
ImportanceSummary importance(const Allocator& allocator, Executor& executor, Session& session, const Density& model,
                             const Target& target, uint64_t seed, uint64_t first, int64_t n, const View& context,
                             const View& x, const View& log_weight);

// The same with the posterior q(z | x) of a variational autoencoder as the proposal for p(x, z), given one row x [1, event]:
// log_z is the log evidence of the row. Writes z [n, latent] and log_weight [n] if they have data.
ImportanceSummary posterior_importance(const Allocator& allocator, Session& session, uint64_t seed, uint64_t first,
                                       int64_t n, const View& x, const View& context, const View& z,
                                       const View& log_weight);

// Computes the mean [k] of values [n, k] with weights exp(log_weight [n]), n >= 1, and standard errors [k] if error has
// data.
void importance_mean(const View& log_weight, const View& values, const View& mean, const View& error);

}  // namespace libnf
