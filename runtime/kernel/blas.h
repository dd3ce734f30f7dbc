// OpenBLAS for large products of training, where the library was built with it (-Dblas). Only gradients of weights go
// there: they depend on the whole batch anyway, while the bits of everything else depend on its own row alone (gemm.h).
// Whether a product goes there is a function of its shape and of the processor, never of a measurement, so bits do not
// depend on threads or on how busy the machine is.
#pragma once
#include <cstdint>
#include <string>

#include "runtime/kernel/gemm.h"

namespace libnf::kernel {

// Computes C [m, n] = A B, or adds it to C, as gemm does for Into::overwrite and Into::accumulate, with either a_row or
// a_col equal to 1. Returns false, with C as it was, if OpenBLAS is not there, not fast here, or not meant for this
// shape. Accuracy: that of a sum of k products in an unspecified order.
template <class T>
bool blas_product(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb,
                  T* c, int64_t ldc, Into into);

// Returns the engine of large products for logs: "OpenBLAS 0.3.21 SkylakeX", "own; OpenBLAS 0.3.21 has only Prescott
// kernels for this processor", or "own".
std::string product_engine();

// Whether kernels of OpenBLAS named `core` are at least as wide as those of a SIMD target of Highway. A release that is
// older than the processor may have nothing but SSE3 for it.
bool core_is_wide_enough(const char* core, const char* target);

// For tests that pin bits. Not thread-safe.
void allow_blas(bool allowed);

}  // namespace libnf::kernel
