#include "src/objective/nll.h"

#include "runtime/op/ops.h"
#include "src/objective/phases.h"

namespace libnf {

Var Nll::losses(Lane& lane, const Block& b) {
  return scale(lane.tape(), model().log_prob(lane.scope(), b.x, b.context, scope_.memory), -1);
}

namespace {

std::unique_ptr<Objective> build(const Config&, const ObjectiveScope& scope) {
  if (scope.model.vae()) {  // the same bound, with less noise
    const ObjectiveKind& elbo = *Registry<ObjectiveKind>::find("elbo");
    return elbo.build(*elbo.config(), scope);
  }
  if (couples_rows(scope.model)) return std::make_unique<Phases>(scope);
  return std::make_unique<Nll>(scope);
}

}  // namespace

extern const ObjectiveKind Objective_nll;
const ObjectiveKind Objective_nll = {
    {"nll", "mean of -log q over rows of data, the negative log-likelihood", "maximum likelihood",
     []() -> std::unique_ptr<Config> { return std::make_unique<NoConfig>(); }},
    build,
    true,
    false,
    false};

}  // namespace libnf
