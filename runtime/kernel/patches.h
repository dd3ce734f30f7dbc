// Patches of images, the rows of the matrices behind convolutions. An image is [height, width, channels], contiguous
// up to the distance between pixels. The patch of a position is what the taps of a kernel read there: one run of
// channels per tap, in the order of the kernel's rows and columns.
#pragma once
#include <cstdint>

namespace libnf::kernel {

// Tap (i, j) at position (y, x) reads pixel (y stride_h - top + i dilation_h, x stride_w - left + j dilation_w).
struct PatchMap {
  int64_t height = 0, width = 0;  // of the image
  int64_t out_h = 0, out_w = 0;   // positions
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t top = 0, left = 0;  // may be negative
  bool circular = false;      // a pixel outside the image: wraps around if true, otherwise it is zero

  int64_t pixels() const { return height * width; }
  int64_t positions() const { return out_h * out_w; }
  int64_t taps() const { return kernel_h * kernel_w; }
  // Returns whether patches are the pixels themselves.
  bool identity() const {
    return taps() == 1 && stride_h == 1 && stride_w == 1 && top == 0 && left == 0 && out_h == height && out_w == width;
  }
};

// A part of all patches: positions [first, first + count) in row-major order, taps [tap0, tap1), and `channels` of the
// image, whose pixels are `pitch` elements apart.
struct PatchRange {
  int64_t first, count;
  int64_t tap0, tap1;
  int64_t channels, pitch;
  int64_t size() const { return (tap1 - tap0) * channels; }  // elements of a patch
};

// Copies patches to out [count, size].
template <class T>
void gather_patches(const PatchMap& m, const PatchRange& r, const T* image, T* out);
// Adds patches [count, size] to the pixels that they were read from, in the order of the positions, then of the taps.
template <class T>
void scatter_patches(const PatchMap& m, const PatchRange& r, const T* patches, T* image);

}  // namespace libnf::kernel
