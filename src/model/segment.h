// Runs a few layers in sequence, recorded either as they are, or as a single node that keeps only their input and
// output and runs them again for its gradient (runtime/op/checkpoint.h), or as one that rebuilds what lies between them
// (runtime/op/reversible.h).
#pragma once
#include "src/model/chain.h"

namespace libnf {
// Applies a layer to x, which has exactly the columns that the layer acts on.
Mapped apply_to_columns(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse);
// Applies a layer to rows of the model; columns that it does not act on pass through.
Mapped apply_layer(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse);
// Applies layers in sequence (from last to first if inverse); log_det is the sum of theirs.
Mapped apply_layers(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
Mapped recorded_segment(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
Mapped rebuilt_segment(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
}  // namespace libnf
