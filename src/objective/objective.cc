#include "src/objective/objective.h"

namespace libnf {

void Objective::check(const Batch&) const {
  if (kind().target && !target_)
    fail(Code::state, "objective \"%s\" needs a target: nf_trainer_set_target goes first", kind().name);
}

}  // namespace libnf
