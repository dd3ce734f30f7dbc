// Normalization within a row, for nets: unlike batch norm, a row of the result is a function of that row alone. x is
// [n, d], [n, height * width * channels] or [n, height, width, channels]; w and b [channels], or nullptr for 1 and 0.
// y = (x - mean) / sqrt(var + eps) w + b, with the variance divided by the number of elements; eps > 0.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Normalizes every run of `channels` elements: all of a row for channels = d, or the channels of each pixel.
// Ba et al. 2016.
Var layer_norm(Tape& t, Var x, int64_t channels, Var w, Var b, double eps = 1e-5);
// Normalizes each of `groups` runs of channels over all pixels of a row. groups = channels: instance norm.
// Wu and He 2018.
Var group_norm(Tape& t, Var x, int64_t channels, int64_t groups, Var w, Var b, double eps = 1e-5);

}  // namespace libnf
