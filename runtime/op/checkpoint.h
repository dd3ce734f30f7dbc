// A sub-graph as a single node: forward keeps only its inputs and outputs, and the gradient runs it again (gradient
// checkpointing, Chen et al. 2016, arXiv 1604.06174). Values have the same bits as the sub-graph recorded node by node.
// So do gradients, except that of a data input with other users: the contribution of the sub-graph is rounded before it
// is added.
#pragma once
#include <new>
#include <span>
#include <type_traits>

#include "runtime/op/mapped.h"

namespace libnf {

// Records the sub-graph described by `what` on the Vars that stand for its data inputs.
using SubGraph = Mapped (*)(Tape& t, const void* what, const Var* data);

// `what` is borrowed. Use the template below instead.
Mapped checkpoint(Tape& t, const Dims& shape, std::span<const Var> data, std::span<const Var> params, SubGraph run,
                  const void* what);

// f(t, data) records a sub-graph of the Vars `data`, which stand for those given here, and of `params`, which f must
// know itself. All Vars that should get gradients must be listed: Error{internal} otherwise. y has `shape`; log_det is
// [shape[0]], or nullptr if it is zero (the result then has zeros). Gradients flow to data and params. Entries of
// `data` may be nullptr. f is copied into the arena and called again for the gradient, with the same random numbers.
template <class F>
Mapped checkpoint(Tape& t, const Dims& shape, std::span<const Var> data, std::span<const Var> params, const F& f) {
  static_assert(std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>);
  const F* copy = ::new (t.arena().take(sizeof(F))) F(f);
  return checkpoint(
      t, shape, data, params,
      [](Tape& tape, const void* what, const Var* in) { return (*static_cast<const F*>(what))(tape, in); }, copy);
}

}  // namespace libnf
