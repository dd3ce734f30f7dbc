// Polyak average; ema.h has the formulas, the loop is the rule `average` of runtime/kernel/optim_kernels.h.
#include "src/train/ema.h"

#include <cmath>

#include "runtime/kernel/optim_kernels.h"

namespace libnf {
namespace {

double rate_of(const EmaConfig& config, uint64_t step) {
  const double d = config.decay;
  if (!config.bias_correction) return 1 - d;
  return (1 - d) / -std::expm1(static_cast<double>(step) * std::log(d));
}

}  // namespace

void EmaConfig::fields(Fields& f) {
  f.real("ema_decay", "decay of the averaged parameters; 0: no average", decay, 0, 0.99999999);
  f.flag("ema_bias_correction", "average only over the steps taken, without the initial values", bias_correction);
}

template <class T>
void ema_update(const EmaConfig& config, uint64_t step, T* average, const T* param, int64_t begin, int64_t end) {
  if (begin >= end) return;
  kernel::Update u;
  u.rule = kernel::UpdateRule::average;
  u.rate = rate_of(config, step);
  kernel::update<T>(u, average, param, nullptr, begin, end);
}

template void ema_update<float>(const EmaConfig&, uint64_t, float*, const float*, int64_t, int64_t);
template void ema_update<double>(const EmaConfig&, uint64_t, double*, const double*, int64_t, int64_t);

}  // namespace libnf
