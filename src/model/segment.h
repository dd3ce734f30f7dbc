// Runs a few layers one after the other: recorded as they are, or as a single node that keeps their input and output
// only and runs them again for its gradient (runtime/op/checkpoint.h).
#pragma once
#include "src/model/chain.h"

namespace nf {
// On the columns that the layer acts on, which are all of x.
Mapped apply_to_columns(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse);
// On rows of the model: columns that the layer does not act on pass.
Mapped apply_layer(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse);
// Layers one after the other (from the last to the first when inverse); log_det is their sum.
Mapped apply_layers(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
Mapped recorded_segment(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
}  // namespace nf
