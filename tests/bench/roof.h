// The GEMM roof of this machine, measured around each case: the rate of a 512^3 float32 product, ours or OpenBLAS's,
// whichever is higher. A case reports its time over the time the roof needs for the same dense multiply-adds, 1 is the
// roof, 2 is twice as slow:
//   of_roof      the roof is the rate of one thread alone, times the number of threads
//   of_together  the roof is what all threads reach when they multiply at once: less where two virtual cores share a
//                real one, or its power; what the machine could really give the case
#pragma once
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace libnf::bench {

// Dense operations per second, now.
struct Roof {
  double alone;     // of one thread
  double together;  // of all threads at once, in all
};
Roof roof(int threads);
const char* openblas_core();

// One OpenBLAS product, for comparisons.
void openblas_sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int lda, const float* b, int ldb,
                    float* c, int ldc);

void report(benchmark::State& state, double flop, int threads, double seconds, const Roof& roof);

// Runs the benchmark's loop over body, `flop` dense operations each on `threads` threads, and reports GFLOP/s and
// the roofs (means of before and after).
template <class F>
void measure(benchmark::State& state, double flop, int threads, F&& body) {
  const Roof before = roof(threads);
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) body();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const Roof after = roof(threads);
  report(state, flop, threads, seconds, {(before.alone + after.alone) / 2, (before.together + after.together) / 2});
}

}  // namespace libnf::bench
