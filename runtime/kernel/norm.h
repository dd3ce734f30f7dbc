// Normalization over sets of elements of one row: y = (x - mean) / sqrt(var + eps) w + b, with the variance divided by
// the number of elements. x is [sets, pixels, channels], contiguous; a set is one of the `groups` runs of channels of
// one of the `sets`, over all pixels. pixels = groups = 1 is layer norm; groups = channels is instance norm. Sums run
// in T, over pixels in their order, and the mean is subtracted before squares are added up. So a set's result depends
// on nothing else. w and b have one element per channel; nullptr: 1 and 0.
#pragma once
#include <cstdint>

namespace libnf::kernel {

struct NormSets {
  int64_t sets, pixels, channels, groups;  // groups divides channels
  double eps;
  int64_t count() const { return sets * groups; }   // of means
  int64_t scratch() const { return 4 * channels; }  // elements that both functions need
  int64_t per_group() const { return groups ? channels / groups : 0; }
};

// Computes y, and the mean and 1 / sqrt(var + eps) of every set [sets, groups], which the gradient needs.
template <class T>
void norm(const NormSets& s, const T* x, const T* w, const T* b, T* y, T* mean, T* inverse, T* scratch);
// Adds to the gradients gx (if fresh, overwrites it), gw and gb; nullptr: not wanted.
template <class T>
void norm_grad(const NormSets& s, const T* x, const T* w, const T* mean, const T* inverse, const T* gy, T* gx,
               bool fresh, T* gw, T* gb, T* scratch);

}  // namespace libnf::kernel
