// Which columns a coupling layer transforms, and which pass through and feed its net.
#pragma once
#include <cstdint>
#include <vector>

#include "src/part/declare.h"
#include "src/part/fields.h"

namespace nf {

enum class MaskKind : uint8_t { halves, alternating, random, channel, checkerboard };

struct MaskConfig {
  MaskKind kind = MaskKind::halves;
  bool swap = false;
  int64_t seed = 0;
  void fields(Fields& f);
};

// Of D columns in row-major order, whatever the shape of the event, these are transformed:
//   halves        the second half, the larger one at odd D
//   alternating   columns 0, 2, ...
//   random        D/2 of them rounded up, drawn from (seed, layer)
// Of an event [height, width, channels] (Dinh et al. 2017, section 3.4), or of columns as a row of pixels of one
// channel each for checkerboard, and as the channels of one pixel for channel:
//   channel       the second half of the channels of every pixel, the larger one at an odd number
//   checkerboard  all channels of pixels whose row + column is even
// `swap` exchanges the roles. One column, one channel or one pixel is all there is to transform, swapped or not: the net
// then sees nothing, or the context.
struct Mask {
  std::vector<int32_t> pass, transform;
  Mask(const MaskConfig& config, const Declare& d);
};

}  // namespace nf
