// Which columns a coupling layer transforms, and which pass through and feed its net.
#pragma once
#include <cstdint>
#include <vector>

#include "src/part/declare.h"
#include "src/part/fields.h"

namespace nf {

enum class MaskKind : uint8_t { halves, alternating, random };

struct MaskConfig {
  MaskKind kind = MaskKind::halves;
  bool swap = false;
  int64_t seed = 0;
  void fields(Fields& f);
};

// halves: the second half (the larger one at odd D) is transformed; alternating: columns 0, 2, ...; random: D/2 columns
// rounded up, drawn from (seed, layer). `swap` exchanges the roles. At D = 1 the only column is always transformed (its
// net then sees nothing, or the context).
struct Mask {
  std::vector<int32_t> pass, transform;
  Mask(const MaskConfig& config, const Declare& d);
};

}  // namespace nf
