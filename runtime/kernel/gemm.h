// Dense matrix products in Highway.
//
// Every element of C is one chain of fused multiply-adds over k in increasing order (for up to 4 columns: a few chains,
// joined in a fixed order). So its bits depend only on its row of A and column of B, and never on m, its position, or
// how rows are cut into blocks: a row scored alone has the same bits as in a batch of a million. (A BLAS does not
// guarantee that, and it selects kernels by the environment and the CPU's model number.) tests/bench/gemm_bench.cc
// compares with OpenBLAS.
#pragma once
#include <cstdint>

namespace libnf::kernel {

enum class Into : uint8_t {
  overwrite,   // C = A B
  bias,        // C = bias + A B, one bias per column
  accumulate,  // C += A B
  row_bias,    // C = bias + A B, one bias per row
};

// Operations applied to C before it is stored, at no extra cost: c = max(C + add, 0).
template <class T>
struct Finish {
  const T* add = nullptr;  // [m, n], rows ld_add apart
  int64_t ld_add = 0;
  bool relu = false;  // NaN stays NaN
};

// Computes C [m, n] from A [m, k] and B [k, n]. A(i, p) = a[i a_row + p a_col], so a transposed A costs nothing. Rows
// of B and C are contiguous, ldb and ldc apart. `bias` is only read for the two kinds of bias. C must not overlap A, B
// or finish.add. `scratch`: nullptr, or gemm_scratch(m, n, k) elements, 64-byte aligned.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb, T* c,
          int64_t ldc, Into into, const T* bias = nullptr, const Finish<T>& finish = {}, T* scratch = nullptr);

// Returns the number of elements of scratch memory that make this product faster: 0 unless it is large, at most 512 KB.
// Never decreases when an extent grows. The bits of a product are the same with and without scratch memory.
template <class T>
int64_t gemm_scratch(int64_t m, int64_t n, int64_t k);

// Does the same for products whose columns are the rows of a batch: an element is one chain for every n, even narrow.
template <class T>
void gemm_columns(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb,
                  T* c, int64_t ldc, Into into, const T* bias = nullptr, const Finish<T>& finish = {},
                  T* scratch = nullptr);

// Sets out [cols, rows] to the transpose of x [rows, cols]; ldo and ldx are the row strides.
template <class T>
void transpose(int64_t rows, int64_t cols, const T* x, int64_t ldx, T* out, int64_t ldo);

// Runs a product with a known answer on the current SIMD target. Returns false if this machine computes it wrongly.
bool gemm_self_test();

// Returns the SIMD target that kernels run on here, e.g. "AVX3".
const char* simd_target();

}  // namespace libnf::kernel
