// Glow on 32 x 32 x 3 images (examples/specs/glow_cifar.json: 3 levels of 8 steps, hidden 256), batch 16, on one and two
// threads: a train step with memory "full" and "invert", and what its trainer holds; log_prob of 16 images and of one;
// 16 samples. A step has 31 GFLOP in its products, a direction a third of that.
#include <fstream>
#include <nf/nf.hpp>
#include <sstream>

#include "tests/bench/roof.h"

namespace libnf::bench {
namespace {

constexpr int64_t kImages = 16, kPixels = 32 * 32 * 3;
constexpr double kStepFlop = 31e9, kFlop = kStepFlop / 3;

struct Glow {
  explicit Glow(int threads) : runtime({{"runtime.threads", threads}}), model(runtime, spec(), 1) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 37 + i / 784 * 11) % 256);
  }
  static std::string spec() {
    std::ifstream in(NF_SPEC_DIR "/glow_cifar.json");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  nf::View rows(int64_t n) const { return {x.data(), n, kPixels}; }

  nf::Runtime runtime;
  nf::Model model;
  std::vector<float> x = std::vector<float>(kImages * kPixels), out = x, scores = std::vector<float>(kImages);
};

void train_step(benchmark::State& state, const char* memory) {
  const int threads = static_cast<int>(state.range(0));
  Glow glow(threads);
  nf::Trainer trainer(glow.model, {{"trainer.memory", memory}, {"trainer.lr", 1e-5}});
  trainer.step(glow.rows(kImages));
  measure(state, kStepFlop, threads, [&] { trainer.step(glow.rows(kImages)); });
  state.counters["MB"] = static_cast<double>(nf_trainer_bytes(trainer.get())) / 1e6;
}

void log_prob(benchmark::State& state, int64_t images) {
  const int threads = static_cast<int>(state.range(0));
  Glow glow(threads);
  nf::Session session(glow.model);
  const auto score = [&] { session.log_prob_into(nf::Out(glow.scores.data(), {images}), glow.rows(images)); };
  score();
  measure(state, kFlop * static_cast<double>(images) / kImages, threads, score);
}

void sample(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  Glow glow(threads);
  nf::Session session(glow.model);
  const auto draw = [&] { session.sample_into(nf::Out(glow.out.data(), kImages, kPixels), {1, 0}); };
  draw();
  measure(state, kFlop, threads, draw);
}

#define NF_THREADS ->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond)
BENCHMARK_CAPTURE(train_step, full, "full") NF_THREADS;
BENCHMARK_CAPTURE(train_step, invert, "invert") NF_THREADS;
BENCHMARK_CAPTURE(log_prob, 16, 16) NF_THREADS;
BENCHMARK_CAPTURE(log_prob, one, 1) NF_THREADS;
BENCHMARK(sample) NF_THREADS;
#undef NF_THREADS

}  // namespace
}  // namespace libnf::bench
