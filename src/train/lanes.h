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

struct Lane {
  Lane(const Allocator& allocator, const FlowModel& model, size_t arena_bytes, void* mirror);
  Buffer grads;
  Tape tape;
  std::vector<Node> params;
  // Before the first block of a step: every gradient is undefined until it is written.
  void begin_step();
  // After the last one: parameters that nothing touched have gradient zero.
  void end_step(const ParamStore& store);
  size_t bytes() const { return grads.bytes() + tape.arena().capacity(); }
};

}  // namespace nf
