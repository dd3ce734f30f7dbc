#include "src/flow/mask.h"

#include <algorithm>

#include "src/part/order.h"

namespace nf {

void MaskConfig::fields(Fields& f) {
  static constexpr const char* kNames[] = {"halves", "alternating", "random"};
  f.choice("mask", "which columns are transformed: the second half, every other one from 0, or a random half", kind,
           kNames);
  f.flag("swap", "exchange the transformed columns and those that pass", swap);
  f.integer("mask_seed", "seed of the random mask; layers of one model differ for equal seeds", seed, 0, INT64_MAX);
}

Mask::Mask(const MaskConfig& config, const Declare& d) {
  const auto n = static_cast<int32_t>(d.event);
  std::vector<bool> moves(static_cast<size_t>(n), false);
  switch (config.kind) {
    case MaskKind::halves:
      for (int32_t i = n / 2; i < n; ++i) moves[static_cast<size_t>(i)] = true;
      break;
    case MaskKind::alternating:
      for (int32_t i = 0; i < n; i += 2) moves[static_cast<size_t>(i)] = true;
      break;
    case MaskKind::random: {
      const auto order = random_order(n, static_cast<uint64_t>(config.seed), d.ordinal);
      for (int32_t i = 0; i < (n + 1) / 2; ++i) moves[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;
      break;
    }
  }
  if (config.swap && n > 1) moves.flip();
  for (int32_t i = 0; i < n; ++i) (moves[static_cast<size_t>(i)] ? transform : pass).push_back(i);
}

}  // namespace nf
