// Lanes: how rows of a batch are cut so that results do not depend on the number of threads.
//
// A lane owns contiguous rows, a tape and a gradient buffer; it works through its rows in blocks on one thread. Lane
// gradients are summed in lane order. The number of lanes is a pure function of the batch and of what the model costs.
#pragma once
#include <cstdint>
#include <vector>

#include "src/model/flow_model.h"

namespace nf {

inline constexpr int64_t kMaxLanes = 64;

// How batches are cut: part of checkpoints, so that a run resumes with the cut it was started with.
//
// More lanes use more cores, but every lane costs a pass over a gradient of all parameters. With
//   reuse = work / parameters, how often a row uses each parameter: 1 for dense nets, the positions of an image for
//           convolutions
//   few   = rows that pay for a lane while there are few: 128 / reuse, and at least 2^22 units of work (RowCost)
//   many  = four times that, for any number of lanes
// the number of lanes is the largest of
//   batch / 128, at least 2 from 32 rows on, at most 8   whatever the model costs
//   batch / few, at most 16
//   batch / many
// and never more than the batch, kMaxLanes, or (from 8 on) lanes whose gradients hold 2^30 numbers.
struct BatchCut {
  int64_t work = 0;  // of a row; 0 in checkpoints written before costs were counted: the first rule alone
  int64_t parameters = 0;
  int64_t block_rows = 1;  // of a lane's blocks
  bool operator==(const BatchCut&) const = default;

  int64_t lanes(int64_t batch) const;
  // The most rows that a lane has with this or any smaller batch.
  int64_t most_lane_rows(int64_t batch) const;
};
BatchCut cut_of(const FlowModel& model);
// The cut of runs whose checkpoints do not state one.
BatchCut old_cut_of(const FlowModel& model);
inline int64_t lane_begin(int64_t batch, int64_t lane, int64_t lanes) { return batch * lane / lanes; }

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
