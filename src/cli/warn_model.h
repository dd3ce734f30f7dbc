// What to say about a model before it is trained.
#pragma once
#include "src/cli/handle.h"

namespace nf::cli {

// Warns on standard error when there is nothing to train, and when an inverse by iteration may end before its tolerance.
void warn_of_model(const nf_model* model);

}  // namespace nf::cli
