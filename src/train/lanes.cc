#include "src/train/lanes.h"

#include <algorithm>
#include <cstring>

#include "runtime/op/layout.h"
#include "src/model/rows.h"

namespace nf {
namespace {

constexpr int64_t kRows = 128, kWorthSplitting = 32;
constexpr int64_t kLaneWork = int64_t{1} << 22, kGradients = int64_t{1} << 30;

int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows without weight count for nothing whatever they hold, but 0 * NaN is NaN: one that has weight takes their place.
// False when there is none.
bool hide_weightless(const View& weight, int64_t first, Var x, Var context) {
  const int64_t rows = x->out.shape[0];
  const auto counts = [&](int64_t r) { return scalar_at(weight, first + r) > 0; };
  int64_t good = 0;
  while (good < rows && !counts(good)) ++good;
  if (good == rows) return false;
  for (int64_t r = 0; r < rows; ++r) {
    if (counts(r)) continue;
    for (Var v : {x, context}) {
      if (!v) continue;
      const auto bytes = static_cast<size_t>(v->out.shape[1] * size_of(v->out.dtype));
      char* data = v->out.as<char>();
      std::memcpy(data + static_cast<size_t>(r) * bytes, data + static_cast<size_t>(good) * bytes, bytes);
    }
  }
  return true;
}

}  // namespace

int64_t BatchCut::lanes(int64_t batch) const {
  const int64_t cheap = std::clamp<int64_t>(batch / kRows, batch >= kWorthSplitting ? 2 : 1, 8);
  if (work == 0) return cheap;
  const int64_t reuse = std::max<int64_t>(1, work / std::max<int64_t>(1, parameters));
  const auto rows = [&](int64_t times) {
    return std::max({int64_t{1}, times * kRows / reuse, quotient_up(times * kLaneWork, work)});
  };
  const int64_t most = std::clamp<int64_t>(kGradients / std::max<int64_t>(1, parameters), 8, kMaxLanes);
  const int64_t worth = std::max(std::min<int64_t>(batch / rows(1), 16), batch / rows(4));
  return std::max(cheap, std::min({worth, most, batch}));
}

// Rows per lane grow with the batch until there is one more lane, so the peaks are the largest batches of each number
// of lanes.
int64_t BatchCut::most_lane_rows(int64_t batch) const {
  int64_t most = quotient_up(batch, lanes(batch));
  for (int64_t n = 1; n < lanes(batch); ++n) {
    int64_t low = 0, high = batch;  // lanes(low) <= n < lanes(high)
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (lanes(middle) <= n ? low : high) = middle;
    }
    most = std::max(most, quotient_up(low, lanes(low)));
  }
  return most;
}

BatchCut cut_of(const FlowModel& model) {
  return {model.cost().work, model.params().param_count(), model.block_rows()};
}

BatchCut old_cut_of(const FlowModel& model) {
  return {0, model.params().param_count(), block_rows(model.params(), model.event(), {})};
}

Lane::Lane(const Allocator& allocator, const FlowModel& model, Tape on, void* mirror)
    : grads(allocator, static_cast<size_t>(model.params().trainable_size() * size_of(model.dtype())),
            "a lane's gradient"),
      tape(std::move(on)),
      params(model.params().slots().size()),
      empty_(tape.mark()) {
  tape.training = true;
  model.params().bind(params.data(), grads.data() ? grads.data() : this, mirror);
}

void Lane::begin_step() {
  tape.rewind(empty_);
  for (Node& n : params) n.grad_fresh = n.needs_grad;
}

void Lane::end_step(const ParamStore& store) {
  for (Node& n : params)
    if (n.needs_grad && n.grad_fresh)
      std::memset(n.grad, 0, static_cast<size_t>(n.out.count() * size_of(store.dtype())));
}

bool Lane::load(const Batch& b, int64_t first, int64_t rows, Var* x, Var* context) {
  tape.random = b.random;
  tape.random.first_row = first;
  *x = load_rows(tape, b.x, first, rows);
  *context = b.context.data ? load_rows(tape, b.context, b.context.shape[0] == 1 ? 0 : first, rows) : nullptr;
  if (!b.weight.data || hide_weightless(b.weight, first, *x, *context)) return true;
  std::fill_n(b.row_loss + first, rows, 0.0);
  return false;
}

void Lane::seed(const Batch& b, int64_t first, Var log_prob) {
  with_dtype(tape.dtype(), [&]<class T>() {
    const T* values = log_prob->out.as<T>();
    T* seed = log_prob->needs_grad ? tape.grad(*log_prob).template as<T>() : nullptr;
    for (int64_t r = 0; r < log_prob->out.shape[0]; ++r) {
      const double w = b.weight.data ? scalar_at(b.weight, first + r) : 1;
      b.row_loss[first + r] = w == 0 ? 0 : -w * static_cast<double>(values[r]);
      if (seed) seed[r] = static_cast<T>(-w / b.total_weight);
    }
  });
}

}  // namespace nf
