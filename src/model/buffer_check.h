// What buffers must be (Invariant, in src/part/declare.h): an Error naming the tensor for a value that its layer never
// writes. A rotation R is checked by R^T R v = v for one fixed vector v of +-1, in the time of reading it.
#pragma once
#include <functional>
#include <string>

#include "runtime/core/status.h"
#include "src/part/declare.h"

namespace nf {

// at(k): element k as it is stored, row-major; they are finite. Throws Error{code}.
void check_buffer(Code code, Invariant invariant, const std::string& name, const Dims& shape, DType dtype,
                  const std::function<double(int64_t)>& at);

}  // namespace nf
