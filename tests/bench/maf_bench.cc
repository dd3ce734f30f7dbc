// MAF, 43-D, 5 layers, hidden 512-512, through the C ABI on two threads: a train step at batch 256 with Adam (2.52
// GFLOP dense), log_prob of 256 rows and of one, 1,000 samples; and how sampling grows with the number of columns.
// of_roof counts the dense multiply-adds, masked or not: below 1 is possible only by skipping masked ones.
#include "tests/bench/flow.h"
#include "tests/bench/roof.h"

namespace libnf::bench {
namespace {

constexpr int kThreads = 2;
constexpr double kHidden = 512, kLayers = 5;

std::string spec_of(int64_t event) {
  return R"({"event": [)" + std::to_string(event) + R"(], "layers": [{"repeat": 5, "layers": [
      {"type": "masked_autoregressive", "hidden": [512, 512]}, {"type": "reverse"}]}]})";
}

// Dense multiply-adds of one row.
double macs(int64_t event) {
  const auto d = static_cast<double>(event);
  return kLayers * (d * kHidden + kHidden * kHidden + kHidden * 2 * d);
}

void maf_train_step(benchmark::State& state) {
  const int64_t event = 43, batch = 256;
  Flow flow(spec_of(event), kThreads);
  for (int i = 0; i < 5; ++i) flow.train_step(batch);
  // Forward, and two products backward.
  measure(state, 2 * 3 * macs(event) * static_cast<double>(batch), kThreads, [&] { flow.train_step(batch); });
}

void maf_log_prob(benchmark::State& state) {
  const int64_t event = 43, rows = state.range(0);
  Flow flow(spec_of(event), kThreads);
  flow.log_prob(rows);
  measure(state, 2 * macs(event) * static_cast<double>(rows), rows == 1 ? 1 : kThreads, [&] { flow.log_prob(rows); });
}

void maf_sample(benchmark::State& state) {
  const int64_t event = state.range(0), rows = 1000;
  Flow flow(spec_of(event), kThreads);
  flow.sample(rows);
  measure(state, 2 * macs(event) * static_cast<double>(rows), kThreads, [&] { flow.sample(rows); });
}

BENCHMARK(maf_train_step)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(maf_log_prob)->Arg(256)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(maf_sample)
    ->Arg(43)
    ->Arg(8)
    ->Arg(16)
    ->Arg(32)
    ->Arg(64)
    ->Arg(128)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace libnf::bench
