// How the rows of a batch are cut into lanes, independently of the number of threads.
#pragma once
#include <cstdint>

#include "src/model/density.h"

namespace libnf {

inline constexpr int64_t kMaxLanes = 64;

// A pure function of the batch and of the cost of the model. It is saved in checkpoints: a run resumes with the cut it
// started with.
//
// More lanes use more cores, but every lane costs a pass over a gradient of all parameters. With
//   reuse = work / parameters, how often a row uses each parameter: 1 for dense nets, the number of positions in an
//           image for convolutions
//   few   = rows that pay for a lane while there are few lanes: 128 / reuse, and at least 2^22 units of work (RowCost)
//   many  = four times that, for any number of lanes
// the number of lanes is the largest of
//   batch / 128, at least 2 for 32 rows or more, at most 8   whatever the cost of the model
//   batch / few, at most 16
//   batch / many
// and never more than the batch, kMaxLanes, or (above 8) the number of lanes whose gradients hold 2^30 numbers.
struct BatchCut {
  int64_t work = 0;  // work per row; 0 in checkpoints older than cost counting, where only the first rule applies
  int64_t parameters = 0;
  int64_t block_rows = 1;  // rows per block of a lane
  bool operator==(const BatchCut&) const = default;

  int64_t lanes(int64_t batch) const;
  // Returns the most rows that a lane has with this or any smaller batch.
  int64_t most_lane_rows(int64_t batch) const;
};
BatchCut cut_of(const Density& model);
// Returns the cut of runs whose checkpoints do not state one.
BatchCut old_cut_of(const Density& model);

// Returns the first row of a lane, which is the end of the lane before.
inline int64_t lane_begin(int64_t batch, int64_t lane, int64_t lanes) { return batch * lane / lanes; }

}  // namespace libnf
