// The SIMD targets that kernels are compiled for: SSE4, AVX2, AVX-512 and a one-lane fallback on x86; on other CPUs
// NEON and SVE as Highway chooses. Include this before any Highway header, so that all kernels agree.
#pragma once

// Other targets cost build time and library size without benefit for float kernels. NF_FEW_TARGETS (for sanitizers,
// whose builds are slow) keeps only AVX2 and the fallback; NF_SSE4_ONLY (for Valgrind, which does not know all moves
// between AVX registers that assemblers write) SSE4 and the fallback.
#if defined(NF_SSE4_ONLY)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL)
#elif defined(NF_FEW_TARGETS)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)
#else
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// The fallback is Highway's one-lane target with every compiler (the emulated vectors are miscompiled by GCC < 12.3).
#define HWY_BROKEN_EMU128 1

#include "hwy/detect_targets.h"
