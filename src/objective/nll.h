// The mean of -log q over rows of data: maximum likelihood.
#pragma once
#include "src/objective/row_objective.h"

namespace libnf {

class Nll final : public RowObjective {
 public:
  using Config = NoConfig;
  using RowObjective::RowObjective;
  Var losses(Lane& lane, const Block& block) override;
};

}  // namespace libnf
