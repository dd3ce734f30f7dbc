// What a model is, for programs: JSON.
#pragma once
#include <string>

#include "src/model/density.h"

namespace nf {

// {"kind", "event", "latent", "context", "dtype", "log_prob": "exact" | "bound",
//  "layers": [{"name", "where", "type", "inverted", "event", "latent", "columns"}], in the order from data to latents: its
//            tensors start with "name."; it turns an event into a latent, of the first `columns` columns;
//  "scales": [{"where", "first_column", "columns", "event"}]: latents that leave the chain together: first what
//            goes through all layers, then what each split factors out, from the innermost}
// Both lists are empty for a model that is not a chain of layers.
std::string describe_model(const Density& model);

}  // namespace nf
