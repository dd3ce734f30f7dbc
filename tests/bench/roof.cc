#include "tests/bench/roof.h"

#include <cblas.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "runtime/kernel/gemm.h"

extern "C" char* openblas_get_corename(void);

namespace libnf::bench {
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

constexpr int kSize = 512;

// Mean rate over about 60 ms: as the cases are timed, so that a machine whose speed drifts treats both alike.
template <class F>
double mean_rate(F&& product) {
  using Clock = std::chrono::steady_clock;
  product();
  const auto begin = Clock::now();
  double seconds = 0;
  int runs = 0;
  for (; seconds < 0.06; ++runs) {
    product();
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return 2.0 * kSize * kSize * kSize * runs / seconds;
}

}  // namespace

const char* openblas_core() { return openblas_get_corename(); }

void openblas_sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int lda, const float* b, int ldb,
                    float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
              lda, b, ldb, 0, c, ldc);
}

namespace {

double rate_of_one() {
  static const std::vector<float> a(kSize * kSize, 0.5f), b(kSize * kSize, 0.25f);
  std::vector<float> c(kSize * kSize);
  const double ours = mean_rate([&] {
    kernel::gemm<float>(kSize, kSize, kSize, a.data(), kSize, 1, b.data(), kSize, c.data(), kSize,
                        kernel::Into::overwrite);
  });
  const double theirs = mean_rate(
      [&] { openblas_sgemm(false, false, kSize, kSize, kSize, a.data(), kSize, b.data(), kSize, c.data(), kSize); });
  return std::max(ours, theirs);
}

}  // namespace

Roof roof(int threads) {
  const double alone = rate_of_one();
  if (threads == 1) return {alone, alone};
  std::vector<double> rates(static_cast<size_t>(threads));
  std::vector<std::thread> others;
  for (size_t i = 1; i < rates.size(); ++i) others.emplace_back([&rates, i] { rates[i] = rate_of_one(); });
  rates[0] = rate_of_one();
  for (std::thread& t : others) t.join();
  return {alone, std::accumulate(rates.begin(), rates.end(), 0.0)};
}

void report(benchmark::State& state, double flop, int threads, double seconds, const Roof& roof) {
  const double each = seconds / static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = flop / each * 1e-9;
  state.counters["of_roof"] = each / (flop / (roof.alone * threads));
  state.counters["of_together"] = each / (flop / roof.together);
  state.counters["roof_GFLOP/s"] = roof.alone * threads * 1e-9;
}

}  // namespace libnf::bench
