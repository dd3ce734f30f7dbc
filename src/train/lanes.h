// Lanes: how rows of a batch are cut so that results do not depend on the number of threads.
//
// A lane owns contiguous rows, a tape and a gradient buffer; it works through its rows in blocks on one thread. Lane
// gradients are summed in lane order. The number of lanes is a pure function of the batch.
#pragma once
#include <cstdint>
#include <vector>

#include "src/model/flow_model.h"

namespace nf {

inline constexpr int64_t kMaxLanes = 8;
int64_t lane_count(int64_t batch);
inline int64_t lane_begin(int64_t batch, int64_t lane, int64_t lanes) { return batch * lane / lanes; }
// The most rows that a lane has with this or any smaller batch.
int64_t most_lane_rows(int64_t batch);

// The rows of one step.
struct Batch {
  View x, context, weight;  // context and weight may have no data
  double total_weight;      // over all ranks
  RandomKey random;
  double* row_loss;  // [n], written
};

struct Lane {
  Lane(const Allocator& allocator, const FlowModel& model, Tape on, void* mirror);
  Buffer grads;
  Tape tape;
  std::vector<Node> params;
  Scope scope() { return {tape, params.data()}; }
  // Before the first block of a step: every gradient is undefined until it is written, and the tape is empty.
  void begin_step();
  // After the last one: parameters that nothing touched have gradient zero.
  void end_step(const ParamStore& store);
  // Puts rows [first, first + rows) on the tape. False when none of them has weight: they have loss 0 then.
  bool load(const Batch& batch, int64_t first, int64_t rows, Var* x, Var* context);
  // Losses of these rows, and the gradient of the batch's mean loss at their log_prob.
  void seed(const Batch& batch, int64_t first, Var log_prob);
  size_t bytes() const { return grads.bytes() + tape.arena().capacity(); }

 private:
  Tape::Mark empty_;
};

}  // namespace nf
