#include "runtime/op/staged_net.h"

#include <utility>

namespace nf {

int StagedNet::add(NetStage stage, int64_t count) {
  stage.units = count;
  stage.offset = units;
  units = checked_add(units, checked_mul(count, stage.kind == NetStage::dropout ? 2 : 1));
  stages.push_back(std::move(stage));
  return static_cast<int>(stages.size());
}

int64_t StagedNet::first_unit(const NetStage& stage, int64_t step) const {
  const kernel::Staircase& mask = stages[static_cast<size_t>(stage.range)].mask;
  return step <= mask.steps() ? mask.first_col(step) : mask.cols();
}

}  // namespace nf
