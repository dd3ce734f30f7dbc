// See blas.h. The only file that sees cblas.h.
#include "runtime/kernel/blas.h"

#include <cstring>

#ifdef NF_OPENBLAS
#include <cblas.h>

#include <limits>

// Weak: a program that links libnf.a need not have it.
#pragma weak cblas_sgemm
#pragma weak cblas_dgemm
#pragma weak openblas_get_corename
#pragma weak openblas_get_config
#pragma weak openblas_get_parallel
#endif

namespace libnf::kernel {
namespace {

bool allowed = true;

// Bits of the vectors that a multiply-add works on.
int width_of_target(const char* target) {
  return std::strncmp(target, "AVX3", 4) == 0 ? 512 : std::strcmp(target, "AVX2") == 0 ? 256 : 128;
}

int width_of_core(const char* core) {
  for (const char* name : {"SkylakeX", "Cooperlake", "SapphireRapids"})
    if (std::strcmp(core, name) == 0) return 512;
  for (const char* name : {"Haswell", "Zen"})
    if (std::strcmp(core, name) == 0) return 256;
#if defined(__aarch64__)
  return 128;  // all of its kernels use NEON or more
#else
  return 0;
#endif
}

#ifdef NF_OPENBLAS
// A serial one: with threads of its own it would start more than there are cores.
bool linked() {
  static const bool yes = cblas_sgemm && cblas_dgemm && openblas_get_corename && openblas_get_config &&
                          openblas_get_parallel && openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
  return yes;
}

const char* core() {
  static const char* const name = openblas_get_corename();
  return name;
}

// Smaller products are as fast on our kernels (tests/bench/gemm_bench.cc).
bool is_large(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kLeast = 64, kWork = int64_t{1} << 22;
  constexpr int64_t kMost = std::numeric_limits<blasint>::max();
  return m >= kLeast && n >= kLeast && k >= kLeast && m < kMost && n < kMost && k < kMost && m * n >= kWork / k;
}

void product(CBLAS_TRANSPOSE turn, blasint m, blasint n, blasint k, const float* a, blasint lda, const float* b,
             blasint ldb, float before, float* c, blasint ldc) {
  cblas_sgemm(CblasRowMajor, turn, CblasNoTrans, m, n, k, 1, a, lda, b, ldb, before, c, ldc);
}
void product(CBLAS_TRANSPOSE turn, blasint m, blasint n, blasint k, const double* a, blasint lda, const double* b,
             blasint ldb, double before, double* c, blasint ldc) {
  cblas_dgemm(CblasRowMajor, turn, CblasNoTrans, m, n, k, 1, a, lda, b, ldb, before, c, ldc);
}
#endif

}  // namespace

bool core_is_wide_enough(const char* core, const char* target) {
  return width_of_core(core) >= width_of_target(target);
}

void allow_blas(bool a) { allowed = a; }

#ifdef NF_OPENBLAS
template <class T>
bool blas_product(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t ldb,
                  T* c, int64_t ldc, Into into) {
  if (!allowed || !is_large(m, n, k) || (a_row != 1 && a_col != 1)) return false;
  if (into != Into::overwrite && into != Into::accumulate) return false;
  if (!linked() || !core_is_wide_enough(core(), simd_target())) return false;
  const int64_t lda = a_col == 1 ? a_row : a_col;
  constexpr int64_t kMost = std::numeric_limits<blasint>::max();
  if (lda >= kMost || ldb >= kMost || ldc >= kMost) return false;
  const auto i = [](int64_t v) { return static_cast<blasint>(v); };
  product(a_col == 1 ? CblasNoTrans : CblasTrans, i(m), i(n), i(k), a, i(lda), b, i(ldb),
          into == Into::accumulate ? T(1) : T(0), c, i(ldc));
  return true;
}

std::string product_engine() {
  if (!linked()) return "own";
  std::string version = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE ..."
  if (const size_t second = version.find(' ', version.find(' ') + 1); second != std::string::npos)
    version.resize(second);
  if (core_is_wide_enough(core(), simd_target())) return version + " " + core();
  return "own; " + version + " has only " + core() + " kernels for this processor";
}
#else
template <class T>
bool blas_product(int64_t, int64_t, int64_t, const T*, int64_t, int64_t, const T*, int64_t, T*, int64_t, Into) {
  return false;
}

std::string product_engine() { return "own"; }
#endif

#define NF_DEFINE(T)                                                                                                   \
  template bool blas_product<T>(int64_t, int64_t, int64_t, const T*, int64_t, int64_t, const T*, int64_t, T*, int64_t, \
                                Into);
NF_DEFINE(float)
NF_DEFINE(double)
#undef NF_DEFINE

}  // namespace libnf::kernel
