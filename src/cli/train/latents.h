// What a trained autoencoder does with its latents.
#pragma once
#include <optional>

#include "src/cli/common/active_units.h"
#include "src/cli/train/plan.h"

namespace cli {

// Of the first 2,000 test rows, else of --valid, else of --data. None for flows.
std::optional<ActiveUnits> latents_of(const TrainArgs& args, const TrainPlan& plan, const nf::Model& model);

}  // namespace cli
