// What the arena costs per node: the floor under the tape's overhead (the goal for a whole tape node is 100 ns).
#include <benchmark/benchmark.h>

#include "runtime/core/arena.h"

namespace {

void arena_take(benchmark::State& state) {
  constexpr int kNodes = 1000;
  const size_t bytes = static_cast<size_t>(state.range(0));
  libnf::Arena arena(libnf::system_allocator(), kNodes * (bytes + 64));
  for (auto _ : state) {
    const libnf::Arena::Mark m = arena.mark();
    for (int i = 0; i < kNodes; ++i) benchmark::DoNotOptimize(arena.take(bytes));
    arena.rewind(m);
  }
  state.SetItemsProcessed(state.iterations() * kNodes);
}
BENCHMARK(arena_take)->Arg(64)->Arg(256);

}  // namespace
