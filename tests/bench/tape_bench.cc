// What a node of the tape costs beside its arithmetic: recording and the reverse walk of one-element operations.
#include <benchmark/benchmark.h>

#include "runtime/op/ops.h"

namespace libnf {
namespace {

constexpr int kNodes = 1000;

void tape_node(benchmark::State& state) {
  const bool backward = state.range(0) != 0;
  Tape t(system_allocator(), DType::f32, size_t{4} << 20);
  t.recording = backward;
  float one = 1, step = 1e-3f;
  for (auto _ : state) {
    const TapeScope scope(t);
    Var x = t.input(contiguous_view(&one, DType::f32, {1}), true);
    Var b = t.input(contiguous_view(&step, DType::f32, {1}), false);
    for (int i = 0; i < kNodes; ++i) x = add(t, x, b);
    if (backward) {
      *t.grad(*x).as<float>() = 1;
      t.backward();
    }
    benchmark::DoNotOptimize(x->out.data);
  }
  using benchmark::Counter;
  state.counters["per_node"] = Counter(kNodes, Counter::kIsIterationInvariantRate | Counter::kInvert);
}
BENCHMARK(tape_node)->Arg(0)->Arg(1)->ArgName("backward");

}  // namespace
}  // namespace libnf
