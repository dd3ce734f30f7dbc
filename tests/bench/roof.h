// The GEMM roof of this machine, measured in the same run: the best rate of a 512^3 float32 product on one core, ours
// or OpenBLAS's, times the number of threads. A case reports its time over the time the roof needs for the same dense
// multiply-adds: "of_roof" = 1 is the roof, 2 is twice as slow.
#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>

namespace nf::bench {

struct Roof {
  double ours, openblas;  // flop/s on one core
  double best() const { return ours > openblas ? ours : openblas; }
};
const Roof& roof();  // measured on first use
const char* openblas_core();

// One OpenBLAS product, for comparisons.
void openblas_sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int lda, const float* b, int ldb,
                    float* c, int ldc);

// Reports of_roof and GFLOP/s for a case that does `flop` dense operations per iteration on `threads` threads.
void report(benchmark::State& state, double flop, int threads);

}  // namespace nf::bench
