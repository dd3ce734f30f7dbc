// A sub-graph as a single node: forward keeps only its inputs and outputs, and its gradient runs it again (gradient
// checkpointing, Chen et al. 2016, arXiv 1604.06174). Values have the bits of the sub-graph recorded node by node, and
// gradients too, except that of a data input with other users: what the sub-graph contributes is rounded before it is
// added.
#pragma once
#include <new>
#include <span>
#include <type_traits>

#include "runtime/op/mapped.h"

namespace nf {

// Records the sub-graph that `what` describes on the Vars that stand for its data inputs.
using SubGraph = Mapped (*)(Tape& t, const void* what, const Var* data);

// `what` is borrowed. Use the template below.
Mapped checkpoint(Tape& t, const Dims& shape, std::span<const Var> data, std::span<const Var> params, SubGraph run,
                  const void* what);

// f(t, data) records a sub-graph of the Vars `data`, which are stand-ins for those given here, and of `params`, which it
// knows by itself. All Vars whose gradients it is to reach must be among them: Error{internal} otherwise. y has `shape`, log_det [shape[0]] or nullptr (the result's is zero then). Gradients flow to both;
// entries of `data` may be nullptr. f is copied into the arena and called again for the gradient, with the random
// numbers of the first time.
template <class F>
Mapped checkpoint(Tape& t, const Dims& shape, std::span<const Var> data, std::span<const Var> params, const F& f) {
  static_assert(std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>);
  const F* copy = ::new (t.arena().take(sizeof(F))) F(f);
  return checkpoint(
      t, shape, data, params,
      [](Tape& tape, const void* what, const Var* in) { return (*static_cast<const F*>(what))(tape, in); }, copy);
}

}  // namespace nf
