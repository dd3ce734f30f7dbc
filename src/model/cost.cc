#include "src/model/cost.h"

#include <algorithm>
#include <cmath>

#include "src/model/density.h"

namespace libnf {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 20;  // rows times columns of a block
constexpr int64_t kMaxKept = int64_t{1} << 24;      // numbers kept by a block
constexpr int64_t kGradientKept = int64_t{1} << 21;
constexpr int64_t kRecompute = int64_t{1} << 24;
constexpr int64_t kWorthSplitting = int64_t{1} << 20;

OpCost cost_of_rows(const Allocator& allocator, const Density& model, int64_t rows) {
  Tape t(allocator, model.dtype());
  t.recording = false;
  t.measuring = true;
  std::vector<Node> params(model.params().slots().size());
  model.params().bind(params.data(), nullptr, nullptr);
  Var x = t.zeros({rows, model.columns()});
  Var context = model.context() ? t.zeros({rows, model.context()}) : nullptr;
  model.log_prob({t, params.data()}, x, context);
  return t.cost;
}

}  // namespace

// The difference between two rows and one row excludes work that is done once per block, such as factoring a matrix.
RowCost row_cost(const Allocator& allocator, const Density& model) {
  const OpCost one = cost_of_rows(allocator, model, 1), two = cost_of_rows(allocator, model, 2);
  return {two.work - one.work, two.kept - one.kept};
}

int64_t block_rows(const ParamStore& params, int64_t event, const RowCost& cost) {
  int64_t widest = event;
  for (const ParamSlot& p : params.slots()) {
    if (p.shape.rank == 2) widest = std::max({widest, p.shape[0], p.shape[1]});
    // A masked matrix is stored as the list of its nonzero entries, about half of all.
    if (p.shape.rank == 1)
      widest = std::max(widest, static_cast<int64_t>(std::sqrt(2.0 * static_cast<double>(p.shape[0]))));
  }
  const int64_t rows = std::clamp<int64_t>(kMaxElements / event, 1,
                                           widest <= 16    ? kMaxBlockRows
                                           : widest <= 128 ? 64
                                                           : 128);
  return std::min(rows, std::max<int64_t>(1, kMaxKept / std::max<int64_t>(1, cost.kept)));
}

int64_t gradient_rows(int64_t block_rows, const RowCost& cost) {
  return std::clamp<int64_t>(kGradientKept / std::max<int64_t>(1, cost.kept), 1, block_rows);
}

bool gradients_recompute(const RowCost& cost) { return cost.kept >= kRecompute; }

int64_t scoring_rows(const RowCost& cost, int64_t block_rows, int64_t n, int64_t threads) {
  const int64_t worth = (kWorthSplitting + cost.work - 1) / std::max<int64_t>(1, cost.work);
  const int64_t share = (n + threads - 1) / std::max<int64_t>(1, threads);
  return std::clamp<int64_t>(std::max(worth, share), 1, block_rows);
}

}  // namespace libnf
