// --weights: a column of the data, or a file with one number per row of it.
#pragma once
#include "src/cli/train/plan.h"

namespace cli {

// Takes a column that --weights names out of the data's columns. Called before the data is opened.
void set_weight_column(TrainArgs& args, const nf::Runtime& runtime);

// Opens the weights of the training rows, and of other files that have the column. Failure if they are not one number of at
// least 0 per row.
void open_weights(const TrainArgs& args, TrainPlan& plan);

}  // namespace cli
