// Activations of gated nets, by pixel: a row has a whole number of runs of 2 `channels` (gated) or `channels` elements
// (concat_elu), as [n, d] or [n, height, width, channels]; d may be several pixels. The result has the same axes.
#pragma once
#include "runtime/tape/tape.h"

namespace libnf {

// Computes [elu(x) | elu(-x)] for every run of `channels` elements, which doubles the last axis. Salimans et al. 2017.
Var concat_elu(Tape& t, Var x, int64_t channels);
// Computes a sigmoid(b) + r for every run x = [a | b] of 2 `channels` elements, which halves the last axis; r (a
// residual) of the shape of the result, or nullptr.
Var gated(Tape& t, Var x, int64_t channels, Var residual = nullptr);

}  // namespace libnf
