// Dense matrix products in Highway.
//
// Every element of C is one chain of fused multiply-adds over k in increasing order (with up to 4 columns: a few
// chains, joined in a fixed order), so its bits depend on its own row of A and column of B only: never on m, on its
// position or on how rows are cut into blocks. That is what lets a row be scored alone or in a batch of a million with
// the same bits (a BLAS does not promise that, and picks its kernels by reading the environment and the CPU's model
// number). Against OpenBLAS see tests/bench/gemm_bench.cc.
#pragma once
#include <cstdint>

namespace nf::kernel {

enum class Into : uint8_t {
  overwrite,   // C = A B
  bias,        // C = bias + A B, one bias per column
  accumulate,  // C += A B
  row_bias,    // C = bias + A B, one bias per row
};

// What happens to C on its way to memory, for free: c = max(C + add, 0).
template <class T>
struct Finish {
  const T* add = nullptr;  // [m, n], rows ld_add apart
  int64_t ld_add = 0;
  bool relu = false;  // NaN stays NaN
};

// C [m, n] from A [m, k] and B [k, n]. A(i, p) = a[i a_row + p a_col]; so a transposed A costs nothing.
// Rows of B and C are contiguous, ldb and ldc apart. `bias` is read for the two kinds of bias only. C may not overlap A, B
// or finish.add. `scratch`: nullptr, or gemm_scratch(m, n, k) elements, 64-byte aligned.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb, T* c,
          int64_t ldc, Into into, const T* bias = nullptr, const Finish<T>& finish = {}, T* scratch = nullptr);

// Returns how many elements of scratch memory make this product faster: 0 unless it is large, at most 512 KB. Never falls
// when an extent grows. With and without scratch memory the bits of a product are the same.
template <class T>
int64_t gemm_scratch(int64_t m, int64_t n, int64_t k);

// The same for products whose columns are the rows of a batch: an element is one chain whatever n is, narrow or not.
template <class T>
void gemm_columns(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb,
                  T* c, int64_t ldc, Into into, const T* bias = nullptr, const Finish<T>& finish = {},
                  T* scratch = nullptr);

// out [cols, rows] = transpose of x [rows, cols]; ldo, ldx are the distances of rows.
template <class T>
void transpose(int64_t rows, int64_t cols, const T* x, int64_t ldx, T* out, int64_t ldo);

// Runs a product with a known answer on the SIMD target in use; false means that this machine miscomputes.
bool gemm_self_test();

// The SIMD target that kernels run on here: "AVX3".
const char* simd_target();

}  // namespace nf::kernel
