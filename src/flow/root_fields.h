// The fields of a layer whose inverse is found by iteration (runtime/op/root.h).
#pragma once
#include "runtime/op/root.h"
#include "src/part/fields.h"

namespace libnf {

inline void root_fields(Fields& f, RootLimits& limits) {
  f.real(
      "tolerance",
      "largest error of the inverse in its target y, relative to max(1, |y|); errors below the dtype's resolution are "
      "always allowed",
      limits.tolerance, 0, 1e-2);
  f.integer("max_iterations", "iterations of the inverse; a row that needs more is an error", limits.max_iterations, 1,
            10000);
}

}  // namespace libnf
