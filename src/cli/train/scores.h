// Scores training rows with the finished model, so that nf score can say how unusual another row is.
#pragma once
#include "src/cli/train/plan.h"

namespace cli {

// Keeps quantiles of log_prob of the training rows in `model`. Of many rows, so many are scored, evenly spaced, that it
// takes a small part of the training time. Does nothing if a score is NaN.
void keep_scores(const TrainArgs& args, const TrainPlan& plan, const RunState& state, nf::Model& model);

}  // namespace cli
