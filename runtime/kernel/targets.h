// The SIMD targets the kernels are compiled for: SSE4, AVX2, AVX-512 and a one-lane fallback on x86; NEON and SVE as
// Highway chooses elsewhere. Include this before any Highway header, so that every kernel agrees.
#pragma once

// The others cost build time and library size, and bring nothing to float kernels.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#include "hwy/detect_targets.h"
