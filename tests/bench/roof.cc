#include "tests/bench/roof.h"

#include <cblas.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "runtime/kernel/gemm.h"

extern "C" char* openblas_get_corename(void);

namespace nf::bench {
namespace {

// Debian 12's OpenBLAS knows CPUs by model number and falls back to SSE3 kernels for newer ones, which would make a
// roof too low to be honest. It reads this at load time, so it must be set before its own constructor.
__attribute__((constructor(101))) void best_kernels() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    setenv("OPENBLAS_CORETYPE", "Haswell", 0);
#endif
}

template <class F>
double rate(double flop, F&& f) {
  using Clock = std::chrono::steady_clock;
  f();
  double best = 0;
  for (int repeat = 0; repeat < 15; ++repeat) {
    const auto begin = Clock::now();
    for (int i = 0; i < 4; ++i) f();
    best = std::max(best, 4 * flop / std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

}  // namespace

const char* openblas_core() { return openblas_get_corename(); }

void openblas_sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int lda, const float* b, int ldb,
                    float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
              lda, b, ldb, 0, c, ldc);
}

const Roof& roof() {
  static const Roof r = [] {
    constexpr int n = 512;
    std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
    const double flop = 2.0 * n * n * n;
    Roof out;
    out.ours = rate(
        flop, [&] { kernel::gemm<float>(n, n, n, a.data(), n, 1, b.data(), n, c.data(), n, kernel::Into::overwrite); });
    out.openblas = rate(flop, [&] { openblas_sgemm(false, false, n, n, n, a.data(), n, b.data(), n, c.data(), n); });
    return out;
  }();
  return r;
}

void report(benchmark::State& state, double flop, int threads) {
  using benchmark::Counter;
  const double at_roof = flop / (roof().best() * threads);  // seconds per iteration
  state.counters["GFLOP/s"] = Counter(flop * 1e-9, Counter::kIsIterationInvariantRate);
  // kInvert of a rate is seconds per iteration per unit.
  state.counters["of_roof"] = Counter(at_roof, Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["roof_GFLOP/s"] = roof().best() * threads * 1e-9;
}

}  // namespace nf::bench
