#include "src/model/support.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/rows.h"
#include "runtime/kernel/reduce.h"
#include "src/model/rows.h"

namespace libnf {
namespace {

bool all_parameters_finite(const ParamStore& params) {
  for (size_t i = 0; i < params.slots().size(); ++i) {
    const View v = params.view(i);
    const bool finite = with_dtype(v.dtype, [&]<class T>() { return kernel::all_finite(v.as<T>(), v.count()); });
    if (!finite) return false;
  }
  return true;
}

template <class T>
bool has_nan(const T* p, int64_t n) {
  return std::any_of(p, p + n, [](T v) { return std::isnan(v); });
}

// No row has such a log density: it comes from numbers that overflow on the way.
template <class T>
bool undefined(T log_prob) {
  return std::isnan(log_prob) || log_prob == std::numeric_limits<T>::infinity();
}

template <class T>
void settle(const Scope& s, const Density& model, Var rows, Var context, T* log_prob) {
  const int64_t n = rows->out.shape[0];
  const auto valid = [&](int64_t r) {
    const TapeScope scope(s.tape);
    return !context || model.valid_context(s, load_rows(s.tape, context->out, r, 1));
  };
  if (s.tape.measuring) {
    if (n > 0) valid(0);
    return;
  }
  if (std::none_of(log_prob, log_prob + n, undefined<T>) || !all_parameters_finite(model.params())) return;
  const bool shared = context && context->out.shape[0] == 1;  // checked once
  if (shared && !valid(0)) return;
  const auto m = matrix_of<T>(rows->out);
  for (int64_t r = 0; r < n; ++r)
    if (undefined(log_prob[r]) && !has_nan(m.row(r), m.cols) && (shared || valid(r)))
      log_prob[r] = -std::numeric_limits<T>::infinity();
}

}  // namespace

void settle_density_zero(const Scope& s, const Density& model, Var rows, Var context, Var log_prob) {
  with_dtype(s.tape.dtype(), [&]<class T>() { settle<T>(s, model, rows, context, log_prob->out.template as<T>()); });
}

}  // namespace libnf
