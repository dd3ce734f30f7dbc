#include "src/flow/mask.h"

#include <algorithm>

#include "src/part/order.h"

namespace libnf {

void MaskConfig::fields(Fields& f) {
  static constexpr const char* kNames[] = {"halves", "alternating", "random", "channel", "checkerboard"};
  f.choice("mask",
           "columns that are transformed: the second half, every other one from 0, a random half; of an event [height, "
           "width, channels] also the second half of the channels, or every other pixel",
           kind, kNames);
  f.flag("swap", "swap the transformed columns with those that pass through", swap);
  const bool fixed = kind == MaskKind::alternating || kind == MaskKind::checkerboard;
  f.relevant(!fixed, kind == MaskKind::checkerboard ? "\"mask\": \"checkerboard\"" : "\"mask\": \"alternating\"");
  f.integer("mask_count",
            "number of columns (halves, random) or channels (channel) that are transformed, before swap; 0 = half, "
            "rounded up",
            count, 0, int64_t{1} << 24);
  f.relevant(true);
  f.integer("mask_seed", "seed of the random mask; layers of a model differ even with equal seeds", seed, 0, INT64_MAX);
}

Mask::Mask(const MaskConfig& config, const Declare& d) {
  const auto n = static_cast<int32_t>(d.columns());
  const bool image = d.event.rank == 3;
  const auto width = static_cast<int32_t>(image ? d.event[1] : n);
  // Columns per pixel. A vector counts as a row of one-channel pixels for checkerboard, as one pixel for channel.
  const auto channels = static_cast<int32_t>(image ? d.event[2] : config.kind == MaskKind::channel ? n : 1);
  const int32_t of = config.kind == MaskKind::channel ? channels : n;
  if (config.count > of) {
    const std::string why = std::to_string(config.count) + " of " + std::to_string(of) +
                            (config.kind == MaskKind::channel ? " channels" : " columns");
    d.reject("mask_count", why.c_str());
  }
  const auto passing = config.count ? of - static_cast<int32_t>(config.count) : of / 2;
  std::vector<bool> moves(static_cast<size_t>(n), false);
  const auto where = [&](auto&& transforms) {
    for (int32_t i = 0; i < n; ++i) moves[static_cast<size_t>(i)] = transforms(i);
  };
  switch (config.kind) {
    case MaskKind::halves:
      where([&](int32_t i) { return i >= passing; });
      break;
    case MaskKind::alternating:
      where([](int32_t i) { return i % 2 == 0; });
      break;
    case MaskKind::random: {
      const auto order = random_order(n, static_cast<uint64_t>(config.seed), d.ordinal);
      for (int32_t i = 0; i < n - passing; ++i) moves[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;
      break;
    }
    case MaskKind::channel:
      where([&](int32_t i) { return i % channels >= passing; });
      break;
    case MaskKind::checkerboard:
      where([&](int32_t i) { return (i / channels % width + i / channels / width) % 2 == 0; });
      break;
  }
  const bool all = std::find(moves.begin(), moves.end(), false) == moves.end();
  if (config.swap && !all) moves.flip();
  for (int32_t i = 0; i < n; ++i) (moves[static_cast<size_t>(i)] ? transform : pass).push_back(i);
}

}  // namespace libnf
