// Labels as the context of a training run: where the spec says so, the class of each row goes into the context.
#pragma once
#include <string>

#include "src/cli/train/plan.h"

namespace cli {

// Copies what --labels and --classes say to the other files, before these are opened: a column of --data is looked for in
// them as well.
void share_labels(TrainArgs& args, const nf::Runtime& runtime);

// Makes the labels the context if the spec has a context of as many numbers as there are classes (one-hot) or of 1 (the
// class as a number), has "context": "auto", or has a base "class_normal" and no context. Otherwise they select rows at
// most. Failure if the spec has another context, if labels were given in vain, or if the base reads them differently.
void set_label_context(const TrainArgs& args, TrainPlan& plan, const std::string& typed);

// "10 classes, one-hot in the context: 0 (5,923), 1 (6,742), ...", for the start of a run; "" without labels.
std::string classes_words(const TrainPlan& plan);

}  // namespace cli
