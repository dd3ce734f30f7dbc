// Adds one view to another of the same shape and any strides.
#pragma once
#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"

namespace libnf {

template <class T>
void add_runs(const View& from, const View& to) {
  for_runs<const T, T>(from, to, [](const T* x, T* y, int64_t k) { kernel::accumulate(x, y, k); });
}

}  // namespace libnf
