// The GEMM roof of this machine, measured around each case: the rate of a 512^3 float32 product on one core, ours or
// OpenBLAS's, whichever is higher, times the number of threads. A case reports its time over the time the roof needs
// for the same dense multiply-adds: "of_roof" = 1 is the roof, 2 is twice as slow.
#pragma once
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace nf::bench {

// Dense operations per second on one core, now.
double roof();
const char* openblas_core();

// One OpenBLAS product, for comparisons.
void openblas_sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int lda, const float* b, int ldb,
                    float* c, int ldc);

void report(benchmark::State& state, double flop, int threads, double seconds, double roof);

// Runs the benchmark's loop over body, `flop` dense operations each on `threads` threads, and reports GFLOP/s, the roof
// (mean of before and after) and of_roof.
template <class F>
void measure(benchmark::State& state, double flop, int threads, F&& body) {
  const double before = roof();
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) body();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report(state, flop, threads, seconds, (before + roof()) / 2);
}

}  // namespace nf::bench
