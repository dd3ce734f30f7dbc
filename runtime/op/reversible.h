// A sequence of invertible maps as a single node that keeps only its input and its last output: the gradient rebuilds the
// input of each map from its output, from the last map to the first, and runs that map again (Gomez et al. 2017, arXiv
// 1707.04585). Memory does not grow with the number of maps, except by a few numbers of each input, which are kept to
// measure how far what is rebuilt has drifted from it: Tape::drift.
#pragma once
#include <new>
#include <span>
#include <type_traits>

#include "runtime/op/mapped.h"

namespace libnf {

// What Tape::drift calls map k: first + k step.
struct Places {
  int64_t first = 0, step = 1;
};

// Records map k on x, or with `back` its inverse, on the Vars that stand for x and the context.
using MapOfSequence = Mapped (*)(Tape& t, const void* what, int64_t k, bool back, Var x, Var context);

// `what` is borrowed. Use the template below instead.
Mapped reversible(Tape& t, int64_t maps, const Places& places, Var x, Var context, std::span<const Var> params,
                  MapOfSequence map, const void* what);

// f(t, k, back, x, context) records map k < maps, or its inverse, of rows x and of `params`, which f must know itself. All
// Vars that should get gradients must be listed: Error{internal} otherwise. Every map gives y the shape of x; a log_det is
// [shape[0]], or nullptr if it is zero, and the result's is their sum. The context may be nullptr. f is copied into the
// arena and called again for the gradient, with the same random numbers in both directions of a map. An inverse that fails
// with Error{not_inverted} counts as infinite drift.
template <class F>
Mapped reversible(Tape& t, int64_t maps, const Places& places, Var x, Var context, std::span<const Var> params,
                  const F& f) {
  static_assert(std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>);
  const F* copy = ::new (t.arena().take(sizeof(F))) F(f);
  return reversible(
      t, maps, places, x, context, params,
      [](Tape& tape, const void* what, int64_t k, bool back, Var from, Var c) {
        return (*static_cast<const F*>(what))(tape, k, back, from, c);
      },
      copy);
}

}  // namespace libnf
