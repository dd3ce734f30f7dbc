// From the raw output of a net to a positive scale s, its logarithm, and d(log s)/d(raw), on spans of length n >= 0.
// Made of the functions of unary.h, with their accuracy: the relative error of s is a few ULP, and for those through an
// exponential |log s| times that of log s more. An element's bits depend on its value only. Total: raw values of any
// size give finite numbers, except `exp`, which overflows; s of `exp` and `plain_sigmoid` may be 0. NaN gives NaN.
#pragma once
#include <cstdint>

namespace libnf::kernel {

enum class ScaleMap : uint8_t {
  bounded_exp,    // s = exp(cap tanh(raw / cap))
  exp,            // s = exp(raw)
  sigmoid,        // s = sigmoid(raw + 2) + 1e-3
  softplus,       // s = min(softplus(raw) + 1e-3, 3)
  soft_exp,       // s = exp(raw / (1 + |raw| / log(1000)))
  softplus_open,  // s = softplus(raw) + 1e-3
  plain_sigmoid,  // s = sigmoid(raw + 2)
};

inline constexpr double kLog1000 = 6.907755278982137, kLeastScale = 1e-3, kMostScale = 3;  // of the formulas

// raw may be one of the outputs.
template <class T>
void scale_map(ScaleMap map, T cap, const T* raw, T* s, T* log_s, T* slope, int64_t n);

}  // namespace libnf::kernel
