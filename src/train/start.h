// Layers whose parameters start from data (actnorm, standardize, batch_norm), once in the life of a model.
#pragma once
#include "runtime/core/executor.h"
#include "src/lane/collective.h"
#include "src/lane/cut.h"
#include "src/model/flow_model.h"

namespace nf {

// Some layer has not seen data yet.
bool waits_for_data(const FlowModel& model);

// Starts those layers, from the data on: each by the mean and unbiased deviation of the rows that arrive at it through
// those before, without dropout; what those before draw is what a session whose option "score_seed" is `seed` draws. Layers that have started stay as they are. x [n, event], context [n or 1, context] or
// no data, weight [n] or no data: rows of weight 0 do not count, all others count alike. Needs one copy of the rows,
// unless the only layer that waits is the first. The same bits for any number of threads. On error nothing has changed:
// Error{argument} for fewer than two rows, Error{numeric} for rows that are not finite where they arrive.
void start_from_data(const Allocator& allocator, Executor& executor, const FlowModel& model, const BatchCut& cut,
                     const View& x, const View& context, const View& weight, const Collective& collective,
                     uint64_t seed = 0);

// Those layers count as started, from the parameters that they have: a model that was fitted without data.
void keep_initial(const FlowModel& model);

}  // namespace nf
