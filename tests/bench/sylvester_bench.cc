// Sylvester flows with M orthonormal columns of D = 128: orthonormalising them forward and backward, the eigenvectors
// within that, and a train step of the layer at batch 256 on two threads.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "runtime/kernel/symmetric_eigen.h"
#include "runtime/op/polar.h"
#include "tests/bench/flow.h"

namespace libnf::bench {
namespace {

constexpr int64_t kEvent = 128;

std::vector<double> normal(int64_t n) {
  std::mt19937 random(1);
  std::normal_distribution<double> draw;
  std::vector<double> v(static_cast<size_t>(n));
  for (double& x : v) x = draw(random);
  return v;
}

void polar(benchmark::State& state) {
  const int64_t m = state.range(0), size = m * kEvent;
  const bool backward = state.range(1) != 0;
  Tape t(system_allocator(), DType::f64, size_t{64} << 20);
  std::vector<double> a = normal(size);
  for (auto _ : state) {
    const TapeScope scope(t);
    Var q = polar_rows(t, t.input(contiguous_view(a.data(), DType::f64, {size}), true), m);
    if (backward) {
      std::fill_n(t.grad(*q).as<double>(), size, 1.0);
      t.backward();
    }
    benchmark::DoNotOptimize(q->out.data);
  }
}

void eigen(benchmark::State& state) {
  const int64_t m = state.range(0);
  const std::vector<double> a = normal(m * kEvent);
  std::vector<double> gram(static_cast<size_t>(m * m)), work, v(gram), w(static_cast<size_t>(m));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j)
      for (int64_t k = 0; k < kEvent; ++k)
        gram[static_cast<size_t>(i * m + j)] +=
            a[static_cast<size_t>(i * kEvent + k)] * a[static_cast<size_t>(j * kEvent + k)];
  for (auto _ : state) {
    work = gram;
    kernel::symmetric_eigen(m, work.data(), v.data(), w.data());
    benchmark::DoNotOptimize(v.data());
  }
}

void sylvester_train_step(benchmark::State& state) {
  Flow flow(R"({"event": [128], "layers": [{"type": "sylvester", "columns": )" + std::to_string(state.range(0)) + "}]}",
            2);
  for (int i = 0; i < 3; ++i) flow.train_step(256);
  for (auto _ : state) flow.train_step(256);
}

BENCHMARK(eigen)->Arg(8)->Arg(32)->Arg(64)->Arg(128)->ArgName("M")->Unit(benchmark::kMicrosecond);
BENCHMARK(polar)->ArgsProduct({{8, 32, 64, 128}, {0, 1}})->ArgNames({"M", "backward"})->Unit(benchmark::kMicrosecond);
BENCHMARK(sylvester_train_step)
    ->Arg(8)
    ->Arg(32)
    ->Arg(64)
    ->Arg(128)
    ->ArgName("M")
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace libnf::bench
