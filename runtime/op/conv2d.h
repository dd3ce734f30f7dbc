// Convolutions of images (cross-correlations, as in all frameworks) and their transposes.
//
// Images are rows: x is [n, height * width * channels], row-major with the channel last, or [n, height, width,
// channels]; the result has as many axes. A row of the result is a function of that row of x alone, to the bit.
#pragma once
#include "runtime/op/activation.h"

namespace libnf {

// How a kernel moves over an image of height x width pixels. The extents of the kernel are those of the weights.
struct Conv2d {
  int64_t height = 1, width = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;  // padding, in pixels
  int64_t groups = 1;     // runs of channels that are connected only with each other; `channels` groups: depthwise
  bool circular = false;  // padding repeats the image, otherwise it is zero

  // Returns the geometry with stride 1 whose result is as large as the image. An even extent has one more pixel of
  // padding at the bottom and on the right.
  static Conv2d same(int64_t height, int64_t width, int64_t kernel_h, int64_t kernel_w);
};

struct ImageSize {
  int64_t height, width;
};
// Returns the size of the result: floor((height + padding - dilation (kernel - 1) - 1) / stride) + 1. Throws
// Error{shape} if a number is out of range or the kernel does not fit into the padded image.
ImageSize conv2d_size(const Conv2d& c, int64_t kernel_h, int64_t kernel_w);

// Computes y = act(conv(x) + b + r): x with c.height, c.width; w [kernel_h, kernel_w, in / groups, out]; b [out] or
// nullptr; r (a residual) of the shape of y, or nullptr.
Var conv2d(Tape& t, Var x, Var w, Var b, const Conv2d& c, Var residual = nullptr, const Activation& act = {});

// Computes y = act(conv^T(x) + b + r), where conv is the convolution with geometry c: c.height and c.width are those of
// y, and x has its size of conv's result. w [kernel_h, kernel_w, out / groups, in], as for conv, whose input channels
// are the output channels here. With circular padding, what conv read from padding is added to the pixels there.
Var conv2d_transposed(Tape& t, Var x, Var w, Var b, const Conv2d& c, Var residual = nullptr,
                      const Activation& act = {});

}  // namespace libnf
