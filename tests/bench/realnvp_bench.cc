// RealNVP, 2-D, 8 layers, residual MLP 64 (one block), through the C ABI on two threads: a train step at batch 512
// (0.21 GFLOP dense), 10,000 samples, log_prob of one row. And the same with the POWER example's shape.
#include "tests/bench/flow.h"
#include "tests/bench/roof.h"

namespace libnf::bench {
namespace {

constexpr int kThreads = 2;

const char kToy[] =
    R"({"event": [2], "layers": [{"repeat": 8, "layers": [
        {"type": "affine_coupling", "net": "residual", "hidden": [64], "blocks": 1}, {"type": "reverse"}]}]})";
const char kPower[] =
    R"({"event": [6], "layers": [{"repeat": 10, "layers": [
        {"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]})";

// Multiply-adds of one row: of all weight matrices.
constexpr double kToyMacs = 8 * (1 * 64 + 2 * 64 * 64 + 64 * 2);
constexpr double kPowerMacs = 10 * (3 * 128 + 128 * 128 + 128 * 6);

void train_step(benchmark::State& state, const char* spec, double macs, int64_t batch) {
  Flow flow(spec, kThreads);
  for (int i = 0; i < 20; ++i) flow.train_step(batch);
  // Forward, and two products backward.
  measure(state, 2 * 3 * macs * static_cast<double>(batch), kThreads, [&] { flow.train_step(batch); });
}

void sample(benchmark::State& state, const char* spec, double macs, int64_t rows) {
  Flow flow(spec, kThreads);
  flow.sample(rows);
  measure(state, 2 * macs * static_cast<double>(rows), kThreads, [&] { flow.sample(rows); });
}

void log_prob(benchmark::State& state, const char* spec, double macs, int64_t rows) {
  Flow flow(spec, kThreads);
  flow.log_prob(rows);
  measure(state, 2 * macs * static_cast<double>(rows), rows == 1 ? 1 : kThreads, [&] { flow.log_prob(rows); });
}

BENCHMARK_CAPTURE(train_step, toy_512, kToy, kToyMacs, 512)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(train_step, power_512, kPower, kPowerMacs, 512)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(sample, toy_10000, kToy, kToyMacs, 10000)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(log_prob, toy_1, kToy, kToyMacs, 1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(log_prob, toy_512, kToy, kToyMacs, 512)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(log_prob, power_10000, kPower, kPowerMacs, 10000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace libnf::bench
