// The SIMD targets the kernels are compiled for: SSE4, AVX2, AVX-512 and a one-lane fallback on x86; NEON and SVE as
// Highway chooses elsewhere. Include this before any Highway header, so that every kernel agrees.
#pragma once

// Others cost build time and library size, and bring nothing to float kernels. NF_FEW_TARGETS, for sanitizers, whose
// builds are slow: AVX2 and the fallback only.
#ifdef NF_FEW_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)
#else
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// The fallback is Highway's one-lane target with every compiler (the emulated vectors are miscompiled by GCC < 12.3).
#define HWY_BROKEN_EMU128 1

#include "hwy/detect_targets.h"
