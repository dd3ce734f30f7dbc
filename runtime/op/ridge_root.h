// The equation to solve for the inverse of a ridge map: a + c h(a) = y, c = m - 1 > -1 (runtime/kernel/ridge.h).
#pragma once
#include "runtime/kernel/ridge.h"
#include "runtime/op/root.h"

namespace libnf {

// Replaces y by the root a, for n rows; m[i * m_step]. leaky_relu is in closed form, tanh and elu use find_roots.
template <class T>
void ridge_root(Tape& t, kernel::Ridge h, T slope, const RootLimits& limits, const T* m, int64_t m_step, T* a,
                int64_t n);

}  // namespace libnf
