#include "src/base/base.h"

#include "runtime/kernel/random.h"
#include "runtime/op/layout.h"

namespace nf {

Var standard_normal(Tape& t, int64_t rows, int64_t event) {
  Var z = t.empty({rows, event});
  const kernel::RandomKey key{t.random.seed, t.random.stream++};
  with_dtype(t.dtype(),
             [&]<class T>() { kernel::normal(key, t.random.first_row, rows, event, z->out.as<T>(), event); });
  return z;
}

}  // namespace nf
