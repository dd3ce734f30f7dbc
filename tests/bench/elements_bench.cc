// Ops that are a few operations per element, forward and backward: wide rows (an image) and narrow ones (points of the
// plane). What bounds them is memory; the tape's part is a few nodes.
#include <benchmark/benchmark.h>

#include <vector>

#include "runtime/op/affine_column.h"
#include "runtime/op/batch_columns.h"
#include "runtime/op/column_map.h"
#include "runtime/op/film.h"
#include "runtime/op/location_scale.h"
#include "runtime/op/ops.h"
#include "runtime/op/radial.h"

namespace libnf {
namespace {

// Inputs that are neither equal nor sorted, within [-1, 1].
std::vector<float> numbers(int64_t n) {
  std::vector<float> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i * 2654435761u % 2001) / 1000 - 1;
  return v;
}

// Every `step`-th column from `first`.
std::vector<int32_t> columns(int64_t cols, int64_t first, int64_t step) {
  std::vector<int32_t> v;
  for (int64_t c = first; c < cols; c += step) v.push_back(static_cast<int32_t>(c));
  return v;
}

// Runs `op` on inputs of the given shapes: forward, then backward with gradients of y and log_det given.
template <class Op>
void run(benchmark::State& state, const std::vector<Dims>& shapes, const Op& op) {
  std::vector<std::vector<float>> data;
  for (const Dims& s : shapes) data.push_back(numbers(s.count()));
  Tape t(system_allocator(), DType::f32, size_t{64} << 20);
  t.recording = true;
  const std::vector<float> seed = numbers(shapes[0].count());
  for (auto _ : state) {
    const TapeScope scope(t);
    Var in[4];
    for (size_t i = 0; i < shapes.size(); ++i)
      in[i] = t.input(contiguous_view(data[i].data(), DType::f32, shapes[i]), true);
    const Mapped m = op(t, in);
    std::copy_n(seed.data(), m.y->out.count(), t.grad(*m.y).as<float>());
    if (m.log_det) std::copy_n(seed.data(), m.log_det->out.count(), t.grad(*m.log_det).as<float>());
    t.backward();
    benchmark::DoNotOptimize(t.grad(*in[0]).data);
  }
  using benchmark::Counter;
  state.counters["per_element"] =
      Counter(static_cast<double>(shapes[0].count()), Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void sizes(benchmark::internal::Benchmark* b) { b->ArgNames({"rows", "cols"})->Args({256, 3072})->Args({4096, 2}); }
#define NF_BENCH(name) BENCHMARK(name)->Apply(sizes)->Unit(benchmark::kMicrosecond)

template <bool kInverse>
void affine(benchmark::State& state) {
  const int64_t n = state.range(0), d = state.range(1);
  run(state, {{n, d}, {d}, {d}}, [](Tape& t, Var* in) { return libnf::affine(t, in[0], in[1], in[2], kInverse); });
}
NF_BENCH(affine<false>);
NF_BENCH(affine<true>);

template <bool kHalves, bool kInverse>
void affine_coupling(benchmark::State& state) {
  const int64_t n = state.range(0), d = state.range(1), m = d / 2;
  const auto index = kHalves ? columns(d, m, 1) : columns(d, 0, 2);
  run(state, {{n, d}, {n, 2 * m}}, [&](Tape& t, Var* in) {
    return libnf::affine_coupling(t, in[0], in[1], index.data(), m, ScaleMap::bounded_exp, 2, kInverse);
  });
}
NF_BENCH((affine_coupling<true, false>));
NF_BENCH((affine_coupling<true, true>));
NF_BENCH((affine_coupling<false, false>));

void additive_coupling(benchmark::State& state) {
  const int64_t n = state.range(0), d = state.range(1), m = d / 2;
  const auto index = columns(d, m, 1);
  run(state, {{n, d}, {n, m}}, [&](Tape& t, Var* in) {
    return Mapped{libnf::additive_coupling(t, in[0], in[1], index.data(), m, false), nullptr};
  });
}
NF_BENCH(additive_coupling);

void affine_columns(benchmark::State& state) {  // as couple_columns: the coupling of any column map
  const int64_t n = state.range(0), d = state.range(1), m = d / 2;
  const auto index = columns(d, m, 1);
  static const AffineColumn map(ColumnScale::softplus, 2);
  run(state, {{n, d}, {n, 2 * m}},
      [&](Tape& t, Var* in) { return couple_columns(t, map, index.data(), m, in[0], in[1], false); });
}
NF_BENCH(affine_columns);

void film(benchmark::State& state) {
  const Dims s = {state.range(0), state.range(1)};
  run(state, {s, s, s}, [](Tape& t, Var* in) { return Mapped{libnf::film(t, in[0], in[1], in[2]), nullptr}; });
}
NF_BENCH(film);

void batch_norm(benchmark::State& state) {
  run(state, {{state.range(0), state.range(1)}},
      [](Tape& t, Var* in) { return batch_normalize(t, in[0], nullptr, 1e-3, true); });
}
NF_BENCH(batch_norm);

void gather(benchmark::State& state) {
  const int64_t n = state.range(0), d = state.range(1);
  std::vector<int32_t> index = columns(d, 0, 2);
  for (const int32_t c : columns(d, 1, 2)) index.push_back(c);
  run(state, {{n, d}}, [&](Tape& t, Var* in) { return Mapped{gather_columns(t, in[0], index.data(), d), nullptr}; });
}
NF_BENCH(gather);

void logistic(benchmark::State& state) {
  const int64_t n = state.range(0), d = state.range(1);
  run(state, {{n, d}, {d}, {d}}, [](Tape& t, Var* in) {
    return Mapped{logistic_log_prob(t, in[0], in[1], in[2]), nullptr};
  });
}
NF_BENCH(logistic);

void radial(benchmark::State& state) {
  const int64_t n = state.range(0), d = state.range(1);
  run(state, {{n, d}, {d + 2}}, [](Tape& t, Var* in) { return libnf::radial(t, in[0], in[1], false); });
}
NF_BENCH(radial);

}  // namespace
}  // namespace libnf
