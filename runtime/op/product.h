// Products with scratch memory from the tape, if they are large enough to use any.
#pragma once
#include "runtime/kernel/blas.h"
#include "runtime/kernel/gemm.h"
#include "runtime/tape/tape.h"

namespace libnf {

// kernel::gemm, its result in the rows of c.
template <class T>
void multiply(Tape& t, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b,
              int64_t ldb, const Rows<T>& c, kernel::Into into, const T* bias = nullptr,
              const kernel::Finish<T>& finish = {}) {
  const int64_t room = kernel::gemm_scratch<T>(m, n, k);
  if (room == 0) return kernel::gemm<T>(m, n, k, a, a_row, a_col, b, ldb, c.p, c.ld, into, bias, finish);
  const ScratchScope scope(t);
  kernel::gemm<T>(m, n, k, a, a_row, a_col, b, ldb, c.p, c.ld, into, bias, finish, t.scratch<T>(room));
}

// For gradients of weights: C = A^T B, by OpenBLAS where it is faster.
template <class T>
void multiply_turned(Tape& t, const Rows<const T>& a, const Rows<const T>& b, const Rows<T>& c, kernel::Into into) {
  if (!kernel::blas_product<T>(a.cols, b.cols, a.rows, a.p, 1, a.ld, b.p, b.ld, c.p, c.ld, into))
    multiply<T>(t, a.cols, b.cols, a.rows, a.p, 1, a.ld, b.p, b.ld, c, into);
}

}  // namespace libnf
