// What a trained autoencoder does with its latents.
#pragma once
#include <optional>

#include "src/cli/common/active_units.h"
#include "src/cli/train/plan.h"

namespace cli {

// Of up to 2,000 rows that the model was not trained on, where there are some. None for flows.
std::optional<ActiveUnits> latents_of(const TrainArgs& args, const TrainPlan& plan, const nf::Model& model);

}  // namespace cli
