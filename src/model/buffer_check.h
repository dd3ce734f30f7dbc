// Checks that buffers satisfy their Invariant (src/part/declare.h). Throws an Error that names the tensor if a value is
// one that its layer never writes. A rotation R is checked by R^T R v = v for one fixed vector v of +-1, which takes
// about as long as reading R.
#pragma once
#include <functional>
#include <string>

#include "runtime/core/status.h"
#include "src/part/declare.h"

namespace libnf {

// at(k) returns element k as it is stored, row-major; all elements are finite. Throws Error{code}.
void check_buffer(Code code, Invariant invariant, const std::string& name, const Dims& shape, DType dtype,
                  const std::function<double(int64_t)>& at);

}  // namespace libnf
