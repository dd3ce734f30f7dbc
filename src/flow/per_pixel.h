// Layers that act on the channels of each pixel of an event [height, width, channels], with the same parameters at all
// pixels: ActNorm per channel, invertible 1x1 convolutions (any linear layer), channel permutations.
#pragma once
#include "src/flow/layer.h"

namespace libnf {

// Builds a layer of the image d.event from the layer that `kind` and `config` describe for a vector of its channels:
//   z[i, j, :] = f(x[i, j, :]) at every pixel,  log_det = sum over pixels of that of f
// Its tensors are those of f, named the same. Where f starts from data, the channels of all pixels of all rows are its
// rows. f does not see the context. Rejects kinds for which this has no meaning.
std::unique_ptr<Layer> per_pixel(const LayerKind& kind, const Config& config, const Declare& d);

}  // namespace libnf
