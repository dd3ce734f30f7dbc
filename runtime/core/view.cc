#include "runtime/core/view.h"

#include "runtime/core/status.h"

namespace libnf {

void refuse_bytes() { fail(Code::internal, "a computation got numbers of type uint8"); }

std::string to_string(const Dims& dims) {
  std::string s = "[";
  for (int i = 0; i < dims.rank; ++i) s += (i ? ", " : "") + std::to_string(dims[i]);
  return s + "]";
}

}  // namespace libnf
