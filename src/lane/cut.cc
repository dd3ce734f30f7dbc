#include "src/lane/cut.h"

#include <algorithm>

#include "runtime/core/checked.h"

namespace libnf {
namespace {

constexpr int64_t kRows = 128, kWorthSplitting = 32;
constexpr int64_t kLaneWork = int64_t{1} << 22, kGradients = int64_t{1} << 30;

int64_t quotient_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

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

// For a given number of lanes, rows per lane grow with the batch; so the maximum is at the largest batch of some number
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

BatchCut cut_of(const Density& model) { return {model.cost().work, model.params().param_count(), model.block_rows()}; }

BatchCut old_cut_of(const Density& model) {
  return {0, model.params().param_count(), block_rows(model.params(), model.columns(), {})};
}

}  // namespace libnf
