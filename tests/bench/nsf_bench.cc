// Rational-quadratic neural spline flows, 6-D, 10 layers, 8 bins, through the C ABI on two threads, at the sizes of the
// peers' comparison: coupling (LU and a residual net of two blocks of 256 units; 8.7 GFLOP dense for a train step at
// batch 512 with Adam) and autoregressive (hidden 256-256; 3.2 GFLOP): train step, log_prob of one row, samples.
#include "tests/bench/flow.h"
#include "tests/bench/roof.h"

namespace libnf::bench {
namespace {

constexpr int kThreads = 2;
constexpr double kEvent = 6, kHidden = 256, kLayers = 10, kPer = 3 * 8 - 1;

struct Case {
  const char* spec;
  double macs;  // dense multiply-adds of one row
};

const Case kCoupling = {R"({"event": [6], "layers": [{"repeat": 5, "layers": [
    {"type": "lu_linear"},
    {"type": "spline_coupling", "mask": "alternating", "net": "residual", "hidden": [256], "blocks": 2, "bins": 8},
    {"type": "lu_linear"},
    {"type": "spline_coupling", "mask": "alternating", "swap": true, "net": "residual", "hidden": [256], "blocks": 2, "bins": 8}]}]})",
                        kLayers*(3 * kHidden + 4 * kHidden * kHidden + kHidden * 3 * kPer)};

const Case kAutoregressive = {R"({"event": [6], "layers": [{"repeat": 10, "layers": [
    {"type": "spline_autoregressive", "hidden": [256, 256], "bins": 8}, {"type": "reverse"}]}]})",
                              kLayers*(kEvent* kHidden + kHidden * kHidden + kHidden * kEvent * kPer)};

void train_step(benchmark::State& state, const Case& c) {
  const int64_t batch = 512;
  Flow flow(c.spec, kThreads);
  for (int i = 0; i < 5; ++i) flow.train_step(batch);
  // Forward, and two products backward.
  measure(state, 2 * 3 * c.macs * static_cast<double>(batch), kThreads, [&] { flow.train_step(batch); });
}

void log_prob(benchmark::State& state, const Case& c) {
  const int64_t rows = state.range(0);
  Flow flow(c.spec, kThreads);
  flow.log_prob(rows);
  measure(state, 2 * c.macs * static_cast<double>(rows), rows == 1 ? 1 : kThreads, [&] { flow.log_prob(rows); });
}

void sample(benchmark::State& state, const Case& c) {
  const int64_t rows = state.range(0);
  Flow flow(c.spec, kThreads);
  flow.sample(rows);
  measure(state, 2 * c.macs * static_cast<double>(rows), kThreads, [&] { flow.sample(rows); });
}

BENCHMARK_CAPTURE(train_step, coupling, kCoupling)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(log_prob, coupling, kCoupling)->Arg(1)->Arg(512)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sample, coupling, kCoupling)->Arg(10000)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(train_step, autoregressive, kAutoregressive)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(log_prob, autoregressive, kAutoregressive)
    ->Arg(1)
    ->Arg(512)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sample, autoregressive, kAutoregressive)->Arg(1000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace libnf::bench
