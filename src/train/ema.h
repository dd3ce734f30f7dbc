// Polyak average of the parameters: average = d average + (1 - d) param after every step.
// With bias correction the average starts at zero and is kept in corrected form, sum_i d^(t-i) p_i / sum_i d^(t-i), by
// using the rate (1 - d) / (1 - d^t), so the initial values have no influence. Without it the average must start as a
// copy of the parameters. Accuracy: two roundings per step.
#pragma once
#include <cstdint>

#include "src/part/config.h"

namespace libnf {

struct EmaConfig : Config {
  double decay = 0;  // 0: no average is kept
  bool bias_correction = true;
  void fields(Fields& f) override;
};

// Does average += rate (param - average) for step `step` (from 1) on elements [begin, end). Any split of the range
// gives the same bits.
template <class T>
void ema_update(const EmaConfig& config, uint64_t step, T* average, const T* param, int64_t begin, int64_t end);

}  // namespace libnf
