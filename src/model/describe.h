// Describes a model for programs, as JSON.
#pragma once
#include <string>

#include "src/model/density.h"

namespace libnf {

// Returns
// {"kind", "event", "latent", "context", "dtype", "log_prob": "exact" | "bound",
//  "layers": [{"name", "where", "type", "inverted", "event", "latent", "columns"}], in order from data to latents: the
//            names of a layer's tensors start with "name."; it maps event to latent, on the first `columns` columns;
//  "scales": [{"where", "first_column", "columns", "event"}], the latents that leave the chain together: first those
//            that go through all layers, then those of each split, from the innermost}
// Both lists are empty for a model that is not a chain of layers.
std::string describe_model(const Density& model);

}  // namespace libnf
