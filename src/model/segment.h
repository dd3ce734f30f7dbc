// A few layers as a single node of the graph: forward keeps their input and output only, and its gradient runs them
// again (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174).
#pragma once
#include "src/model/flow_model.h"

namespace nf {
Mapped apply_step(const Scope& s, const Step& step, Var x, Var context, bool inverse);
// Layers one after the other (from the last to the first when inverse); log_det is their sum.
Mapped apply_steps(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse);
Mapped recorded_segment(const Scope& s, std::span<const Step> steps, Var x, Var context, bool inverse);
}  // namespace nf
