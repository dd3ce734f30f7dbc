// Shared by ops: access to memory (runtime/core/rows.h) and the checks of shape rules.
#pragma once
#include "runtime/core/rows.h"
#include "runtime/tape/tape.h"

namespace libnf {

// Helpers of shape rules. Inline, because they run once per node.
inline Shapes same_as_first(const Node& n) {
  Shapes s;
  s.out = n.in[0]->out.shape;
  return s;
}
[[noreturn]] void wrong_rank(const Node& n, int input, int rank);
[[noreturn]] void wrong_extent(const Node& n, int input, int axis, int64_t extent);
inline void need_rank(const Node& n, int input, int rank) {
  if (n.in[input]->out.shape.rank != rank) wrong_rank(n, input, rank);
}
inline void need_extent(const Node& n, int input, int axis, int64_t extent) {
  const Dims& d = n.in[input]->out.shape;
  if (d.rank <= axis || d[axis] != extent) wrong_extent(n, input, axis, extent);
}

}  // namespace libnf
