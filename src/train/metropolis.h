// Metropolis-Hastings chains whose stationary density is a target p~, as a reference for pictures and tests.
//   random walk    proposal x' = x + step_size e, e standard normal; accepted with probability min(1, p~(x')/p~(x))
//   independence   proposal x' ~ q, a model; accepted with probability min(1, w(x')/w(x)), w = p~/q (Tierney 1994)
// Chains run side by side: the target gets one row of each at a time. Numbers are in float64.
#pragma once
#include "src/model/session.h"
#include "src/target/target.h"

namespace libnf {

struct MetropolisConfig {
  double step_size = 0.5;
  int64_t burn_in = 1000, thin = 1;  // keeps every thin-th state after burn_in steps
  uint64_t seed = 0;
};

struct MetropolisSummary {
  uint64_t steps;
  double acceptance;  // fraction accepted after burn_in
};

// out [draws, chains, event]; start [chains, event] or no data. proposal may be nullptr; context [1, c] or no data is
// its context. Throws Error{numeric} for a chain that starts where the density is 0, or gets a density that is NaN or
// +infinity.
MetropolisSummary metropolis(const Allocator& allocator, const Target& target, Session* proposal,
                             const MetropolisConfig& config, const View& start, const View& context, const View& out);

}  // namespace libnf
