#include "src/train/lanes.h"

#include <algorithm>
#include <cstring>

namespace nf {

// Rows per lane: enough to pay for summing a gradient of `params` numbers, few enough to keep several cores busy.
int64_t lane_count(int64_t batch, int64_t params) {
  const int64_t rows = params <= (int64_t{1} << 18) ? 64 : 128;
  const int64_t lanes = std::clamp<int64_t>(batch / rows, 1, kMaxLanes);
  return batch >= 32 ? std::max<int64_t>(lanes, 2) : lanes;  // two cores are always worth using
}

Lane::Lane(const Allocator& allocator, const FlowModel& model, size_t arena_bytes, void* mirror)
    : grads(allocator, static_cast<size_t>(model.params().trainable_size() * size_of(model.dtype())), "a lane's gradient"),
      tape(allocator, model.dtype(), arena_bytes), params(model.params().slots().size()) {
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
