// A few layers as a single node of the graph: forward keeps their input and output only, and its gradient runs them
// again (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174).
#pragma once
#include "src/model/chain.h"

namespace nf {
Mapped apply_layer(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse);
inline Mapped apply_step(const Scope& s, const LayerInstance& l, Var x, Var context, bool inverse) {
  return apply_layer(s, l, x, context, inverse);
}
// Layers one after the other (from the last to the first when inverse); log_det is their sum.
Mapped apply_layers(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
Mapped recorded_segment(const Scope& s, std::span<const LayerInstance> layers, Var x, Var context, bool inverse);
}  // namespace nf
