// One layer as a single node of the graph: forward keeps its input and output only, and its gradient runs the layer
// again (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174).
#pragma once
#include "src/model/flow_model.h"

namespace nf {
Mapped apply_step(const Scope& s, const Step& step, Var x, Var context, bool inverse);
Mapped recorded_segment(const Scope& s, const Step& step, Var x, Var context, bool inverse);
}  // namespace nf
