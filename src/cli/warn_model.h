// What to say about a model before it is trained.
#pragma once
#include <string>

#include "src/cli/handle.h"

namespace nf::cli {

// Warns on standard error when there is nothing to train, when an inverse by iteration may end before its tolerance, and
// when columns are circles for a layer and not for the base, or not where --standardize puts them.
void warn_of_model(const nf_model* model);

// Whether the base is a box, with density 0 beyond its ends: then scales are those of the box.
bool base_is_box(const nf_model* model);

// What to do about rows without a finite density, which the message says where they were met.
inline constexpr char kAtBase[] = "the base density";
std::string nonfinite_advice(const nf_model* model, const std::string& message);

}  // namespace nf::cli
