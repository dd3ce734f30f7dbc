#include "src/train/lanes.h"

#include <algorithm>
#include <cstring>

namespace nf {

// Enough rows per lane to pay for summing its gradient, at least two lanes where two cores could share the work.
int64_t lane_count(int64_t batch) {
  constexpr int64_t kRows = 128, kWorthSplitting = 32;
  return std::clamp<int64_t>(batch / kRows, batch >= kWorthSplitting ? 2 : 1, kMaxLanes);
}

Lane::Lane(const Allocator& allocator, const FlowModel& model, size_t arena_bytes, void* mirror)
    : grads(allocator, static_cast<size_t>(model.params().trainable_size() * size_of(model.dtype())),
            "a lane's gradient"),
      tape(allocator, model.dtype(), arena_bytes),
      params(model.params().slots().size()) {
  tape.training = true;
  model.params().bind(params.data(), grads.data() ? grads.data() : this, mirror);
}

void Lane::begin_step() {
  for (Node& n : params) n.grad_fresh = n.needs_grad;
}

void Lane::end_step(const ParamStore& store) {
  for (Node& n : params)
    if (n.needs_grad && n.grad_fresh)
      std::memset(n.grad, 0, static_cast<size_t>(n.out.count() * size_of(store.dtype())));
}

}  // namespace nf
