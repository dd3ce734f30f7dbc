// Layers whose parameters are initialized from data (actnorm, standardize, batch_norm), once in the life of a model.
#pragma once
#include "runtime/core/executor.h"
#include "src/lane/collective.h"
#include "src/lane/cut.h"
#include "src/model/flow_model.h"
#include "src/train/selection.h"

namespace libnf {

// Returns whether some layer has not been initialized from data yet.
bool waits_for_data(const FlowModel& model);

// Rows to initialize from: x [n, event], context [n or 1, context] or no data, weight [n] or no data.
struct StartRows {
  View x, context, weight;
  const Selection* which = nullptr;  // nullptr: all rows
  const int64_t* numbers = nullptr;  // row numbers for messages, of all rows; nullptr: 0, 1, ...
  uint64_t seed = 0;                 // of what layers draw
};

// Initializes those layers in order from the data side: each from the mean and unbiased standard deviation of the rows
// that arrive at it through the layers before, without dropout; what those layers draw is what a session with
// option "session.score_seed" = rows.seed draws. Layers that are already initialized do not change. Rows
// of weight 0 do not count, all others count equally. Makes one copy of the rows, unless the only uninitialized layer is
// the first. The bits do not depend on the number of threads. On error nothing changes: Error{argument} for fewer than
// two rows, Error{numeric} for rows that are not finite when they arrive at a layer.
void start_from_data(const Allocator& allocator, Executor& executor, const FlowModel& model, const BatchCut& cut,
                     const StartRows& rows, const Collective& collective);
inline void start_from_data(const Allocator& allocator, Executor& executor, const FlowModel& model, const BatchCut& cut,
                            const View& x, const View& context, const View& weight, const Collective& collective,
                            uint64_t seed = 0) {
  start_from_data(allocator, executor, model, cut, {x, context, weight, nullptr, nullptr, seed}, collective);
}

// Marks those layers as initialized with their current parameters, for a model that was fitted without data.
void keep_initial(const FlowModel& model);

}  // namespace libnf
