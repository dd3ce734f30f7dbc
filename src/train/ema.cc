// Polyak average, formulas in ema.h; the loop is the rule `average` of runtime/kernel/optim_kernels.h.
#include "src/train/ema.h"

#include <cmath>

#include "runtime/kernel/optim_kernels.h"

namespace nf {
namespace {

using C = EmaConfig;
constexpr Field<C> kFields[] = {
    field<&C::decay>("ema_decay", "decay of the averaged parameters; 0: no average", 0, 0.99999999, 0),
    field<&C::bias_correction>("ema_bias_correction", "weigh the first steps fully instead of the start values", 0, 1,
                               1),
};

double rate_of(const EmaConfig& config, uint64_t step) {
  const double d = config.decay;
  if (!config.bias_correction) return 1 - d;
  return (1 - d) / -std::expm1(static_cast<double>(step) * std::log(d));
}

}  // namespace

std::span<const Field<EmaConfig>> ema_fields() { return kFields; }

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

}  // namespace nf
