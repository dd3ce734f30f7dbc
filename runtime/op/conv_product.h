// Convolutions as matrix products, without ops around them: what conv2d and conv2d_transposed share.
//
// Patches are made for a few hundred positions and taps at a time, so that they stay in the L2 cache and the memory
// does not grow with the batch. A product with them is either
//   gather   patches of the input times weights: an output is one chain of multiply-adds over taps, then channels; or
//   scatter  input times weights gives patches of the output, which are added up: one chain over channels per tap.
// At stride 1 both exist for both directions; the cheaper one is a function of the shapes. Blocks consist of whole
// images, or divide each image in the same way, so an image's bits do not depend on the others in the batch.
#pragma once
#include "runtime/kernel/gemm.h"
#include "runtime/kernel/patches.h"
#include "runtime/tape/tape.h"

namespace libnf {

// A convolution from images [height, width, in] to positions [out_h, out_w, out], with weights
// [kernel_h, kernel_w, in / groups, out]. Group g connects a run of input channels with a run of output channels.
struct ConvPlan {
  kernel::PatchMap map;
  int64_t in = 0, out = 0, groups = 1;

  int64_t group_in() const { return in / groups; }
  int64_t group_out() const { return groups ? out / groups : 0; }
  int64_t depth() const { return map.taps() * group_in(); }  // multiply-adds per output
};

// What to do with a result: as in gemm. `add` has the layout of the result.
template <class T>
struct ConvInto {
  T* y = nullptr;
  kernel::Into into = kernel::Into::overwrite;  // row_bias is not supported
  const T* bias = nullptr;
  const T* add = nullptr;
  bool relu = false;
};

// Computes positions [n, out_h, out_w, out] from images x, or, transposed, images from positions x. `mirror`: nullptr, or
// the weights of a plan of one group as ParamStore mirrors them, which saves turning them.
template <class T>
void conv_apply(Tape& t, const ConvPlan& plan, bool transposed, int64_t n, const T* x, const T* w,
                const ConvInto<T>& to, const T* mirror = nullptr);

// Computes or adds to the gradient of the weights, from images x and the gradient g of positions.
template <class T>
void conv_weights(Tape& t, const ConvPlan& plan, int64_t n, const T* x, const T* g, T* gw, bool accumulate);

}  // namespace libnf
