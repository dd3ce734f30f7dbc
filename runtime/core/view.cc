#include "runtime/core/view.h"

namespace nf {

std::string to_string(const Dims& dims) {
  std::string s = "[";
  for (int i = 0; i < dims.rank; ++i) s += (i ? ", " : "") + std::to_string(dims[i]);
  return s + "]";
}

View contiguous_view(void* data, DType dtype, const Dims& shape) {
  View v;
  v.data = data;
  v.dtype = dtype;
  v.shape = shape;
  int64_t step = 1;
  for (int i = shape.rank - 1; i >= 0; --i) {
    v.stride[i] = step;
    step = checked_mul(step, shape[i]);
  }
  return v;
}

}  // namespace nf
