// Our product against OpenBLAS's on one core, at the shapes of training: NN forward, TN for weights.
#include <cstdlib>
#include <memory>
#include <vector>

#include "runtime/kernel/gemm.h"
#include "tests/bench/roof.h"

namespace libnf::bench {
namespace {

enum class Form { nn, tn };

// 64-byte aligned, as gemm wants its scratch memory.
using Buffer64 = std::unique_ptr<float, decltype(&std::free)>;

template <Form form, bool ours>
void gemm(benchmark::State& state) {
  const int m = static_cast<int>(state.range(0)), n = static_cast<int>(state.range(1)),
            k = static_cast<int>(state.range(2));
  std::vector<float> a(static_cast<size_t>(m) * k, 0.5f), b(static_cast<size_t>(k) * n, 0.25f),
      c(static_cast<size_t>(m) * n);
  const Buffer64 scratch(static_cast<float*>(std::aligned_alloc(
                             64, static_cast<size_t>(kernel::gemm_scratch<float>(m, n, k)) * sizeof(float))),
                         &std::free);
  constexpr bool t = form == Form::tn;
  measure(state, 2.0 * m * n * k, 1, [&] {
    if (ours)
      kernel::gemm<float>(m, n, k, a.data(), t ? 1 : k, t ? m : 1, b.data(), n, c.data(), n, kernel::Into::overwrite,
                          nullptr, {}, scratch.get());
    else
      openblas_sgemm(t, false, m, n, k, a.data(), t ? m : k, b.data(), n, c.data(), n);
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  });
  if (!ours) state.SetLabel(openblas_core());
}

void shapes(benchmark::internal::Benchmark* b) {
  for (const auto& s : {std::vector<int64_t>{64, 64, 64},
                        {128, 128, 128},
                        {64, 2, 64},
                        {64, 64, 1},
                        {1, 64, 64},
                        {1, 512, 512},
                        {128, 512, 512},
                        {128, 86, 512},
                        {512, 512, 512},
                        {1024, 256, 256},
                        {1024, 256, 2304},
                        {2048, 2048, 128},
                        {4096, 512, 4608},
                        {2048, 2048, 2048}})
    b->Args(s);
}

BENCHMARK(gemm<Form::nn, true>)->Apply(shapes);
BENCHMARK(gemm<Form::nn, false>)->Apply(shapes);
BENCHMARK(gemm<Form::tn, true>)->Apply(shapes);
BENCHMARK(gemm<Form::tn, false>)->Apply(shapes);

}  // namespace
}  // namespace libnf::bench
