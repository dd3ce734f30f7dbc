#include "src/base/base.h"

#include "runtime/core/rows.h"
#include "runtime/kernel/random.h"
#include "runtime/op/ops.h"

namespace libnf {

Var standard_normal(Tape& t, int64_t rows, int64_t event) {
  Var z = t.empty({rows, event});
  const kernel::RandomKey key{t.random.seed, t.random.stream++};
  with_dtype(t.dtype(), [&]<class T>() {
    if (!t.random.row_keys) return kernel::normal(key, t.random.first_row, rows, event, z->out.as<T>(), event);
    for (int64_t r = 0; r < rows; ++r)
      kernel::normal(key, t.random.row_of(r), 1, event, z->out.as<T>() + r * event, event);
  });
  return z;
}

Var draws(Tape& t, int64_t rows, int64_t event, double (*quantile)(double u)) {
  Var z = t.empty({rows, event});
  const kernel::RandomKey key{t.random.seed, t.random.stream++};
  const ScratchScope scope(t);
  double* u = t.scratch<double>(checked_mul(rows, event));
  kernel::uniform_open(key, t.random.first_row, rows, event, u, event);
  with_dtype(t.dtype(), [&]<class T>() {
    T* out = z->out.as<T>();
    for (int64_t k = 0; k < rows * event; ++k) out[k] = static_cast<T>(quantile(u[k]));
  });
  return z;
}

Var quantiles(Tape& t, const double* u, int64_t rows, int64_t event, QuantileKernel q) {
  Var z = t.empty({rows, event});
  const int64_t n = checked_mul(rows, event);
  const ScratchScope scope(t);
  double* out = t.scratch<double>(n);
  q(u, out, n);
  with_dtype(t.dtype(), [&]<class T>() {
    for (int64_t k = 0; k < n; ++k) z->out.as<T>()[k] = static_cast<T>(out[k]);
  });
  return z;
}

Var tempered(Tape& t, Var z, Var loc, double temperature) { return add(t, scale(t, sub(t, z, loc), temperature), loc); }

}  // namespace libnf
