// The columns that a coupling layer transforms, and those that pass through and feed its net.
#pragma once
#include <cstdint>
#include <vector>

#include "src/part/declare.h"
#include "src/part/fields.h"

namespace libnf {

enum class MaskKind : uint8_t { halves, alternating, random, channel, checkerboard };

struct MaskConfig {
  MaskKind kind = MaskKind::halves;
  bool swap = false;
  int64_t seed = 0;
  int64_t count = 0;
  void fields(Fields& f);
};

// Of D columns in row-major order, whatever the shape of the event, these are transformed:
//   halves        the second half, which is the larger one when D is odd
//   alternating   columns 0, 2, ...
//   random        D/2 of them rounded up, drawn from (seed, layer)
// Of an event [height, width, channels] (Dinh et al. 2017, section 3.4):
//   channel       the second half of the channels of every pixel, the larger one when their number is odd
//   checkerboard  all channels of pixels whose row + column is even
// A vector counts as one pixel for channel, and as a row of one-channel pixels for checkerboard.
// `count` changes how many columns or channels halves, random and channel transform; they are the last ones then, too.
// `swap` exchanges the roles. If there is only one column, channel or pixel, all columns are transformed, swapped or
// not; the net then sees only the context, if any.
struct Mask {
  std::vector<int32_t> pass, transform;
  Mask(const MaskConfig& config, const Declare& d);
};

}  // namespace libnf
