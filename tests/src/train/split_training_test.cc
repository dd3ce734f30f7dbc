// Training models with layers inside splits, and models that draw noise: layers that are initialized from data or
// couple rows use the columns that they act on, memory and threads change no bits, and the loss of dequantized counts
// approaches the entropy of their distribution.
#include <gtest/gtest.h>

#include "runtime/core/rows.h"
#include "src/model/session.h"
#include "src/train/start.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

// Every kind of layer with special handling in training, inside splits of [2, 2, 2].
constexpr char kSpec[] = R"({"event": [2, 2, 2], "dtype": "float64", "layers": [
  {"type": "actnorm", "per_pixel": false},
  {"type": "split", "net": {"type": "mlp", "hidden": [8], "dropout": 0.2}, "layers": [
    {"type": "batch_norm"}, {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [8]}}, {"type": "actnorm"},
    {"type": "squeeze"}, {"type": "split", "layers": [{"type": "batch_norm"}, {"type": "actnorm", "invert": true}]},
    {"type": "reverse"}]},
  {"type": "standardise"}]})";

struct Rows8 {
  explicit Rows8(int64_t n) {
    std::mt19937_64 random(3);
    x = draw_normal(8 * n, random);
    for (size_t k = 0; k < x.size(); ++k) x[k] = x[k] * static_cast<double>(1 + k % 8) + static_cast<double>(k % 3);
    view = contiguous_view(x.data(), DType::f64, {n, 8});
  }
  Values x;
  View view;
};

uint64_t trained(uint32_t threads, Memory memory, int64_t batch) {
  TrainerConfig config = adam(1e-2);
  config.memory = memory;
  Training run(kSpec, config, threads);
  Rows8 data(batch);
  for (int k = 0; k < 4; ++k) run.trainer.step(data.view, View{}, View{});
  return run.hash();
}

TEST(SplitTraining, ThreadsDoNotChangeBits) {
  for (const Memory memory : {Memory::full, Memory::recompute}) {
    const uint64_t want = trained(1, memory, 300);
    EXPECT_EQ(trained(2, memory, 300), want);
    EXPECT_EQ(trained(3, memory, 300), want);
  }
}

TEST(SplitTraining, MemoryDoesNotChangeTheGradient) {
  Training full(kSpec, descent()), again(kSpec, [] {
    TrainerConfig c = descent();
    c.memory = Memory::recompute;
    return c;
  }());
  Rows8 data(64);
  for (Training* run : {&full, &again}) run->trainer.step(data.view, View{}, View{});
  const Values a = full.params(), b = again.params();
  for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-10 * std::max(1.0, std::abs(a[k])));
}

TEST(SplitTraining, LayersInsideStartFromTheirColumns) {
  FlowModel m(system_allocator(), parse_spec(kSpec), 5);
  Rows8 data(500);
  for (const uint32_t threads : {1u, 3u}) {
    FlowModel fresh(system_allocator(), parse_spec(kSpec), 5);
    Executor executor(threads);
    start_from_data(system_allocator(), executor, threads == 1 ? m : fresh, cut_of(m), data.view, View{}, View{}, {});
    EXPECT_TRUE(threads == 1 || fresh.params().hash() == m.params().hash());
  }
  EXPECT_FALSE(waits_for_data(m));
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  std::vector<Node> nodes(m.params().slots().size());
  m.params().bind(nodes.data(), nullptr, nullptr);
  const auto started = [&](size_t layer) {
    const Var y = m.chain().part({t, nodes.data()}, 0, layer + 1, t.input(data.view, false), nullptr, Memory::full).y;
    // A layer that acts per pixel normalizes all pixels of a channel together.
    const LayerInstance& l = m.layers()[layer];
    const int64_t columns = l.columns, channels = l.per_pixel ? l.in[2] : columns, n = 500 * columns / channels;
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      const auto each = [&](auto&& body) {
        for (int64_t r = 0; r < 500; ++r)
          for (int64_t j = c; j < columns; j += channels) body(y->out.as<double>()[8 * r + j]);
      };
      each([&](double v) { sum += v; });
      const double mean = sum / static_cast<double>(n);
      each([&](double v) { squares += (v - mean) * (v - mean); });
      EXPECT_NEAR(mean, 0, 1e-9) << l.where << " channel " << c;
      EXPECT_NEAR(squares / static_cast<double>(n - 1), 1, 2e-5) << l.where << " channel " << c;
    }
  };
  for (size_t i = 0; i < m.layers().size(); ++i)
    if (m.layers()[i].layer->started() >= 0) started(i);
}

// ---- noise -------------------------------------------------------------------------------------------------------

constexpr char kCounts[] = R"({"event": [2], "layers": [{"type": "dequantize", "columns": [0]}, {"type": "standardise"},
  {"repeat": 2, "layers": [{"type": "spline_coupling", "net": {"type": "mlp", "hidden": [16]}}, {"type": "reverse"}]},
  {"type": "elementwise_affine"}]})";

// Poisson counts of mean 3 next to a standard normal column; the mean of log p is minus the sum of their entropies.
struct Counts {
  explicit Counts(int64_t n, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::poisson_distribution<int> count(3);
    const Values e = draw_normal(n, random);
    for (int64_t r = 0; r < n; ++r) {
      x.push_back(count(random));
      x.push_back(e[static_cast<size_t>(r)]);
    }
  }
  View rows(int64_t first, int64_t n) {
    return contiguous_view(&x[static_cast<size_t>(2 * first)], DType::f64, {n, 2});
  }
  Values x;
};

double most_possible() {
  double entropy = 0, p = std::exp(-3.0);
  for (int k = 0; k < 60; p *= 3.0 / ++k) entropy -= p * std::log(p);
  return -entropy - 0.5 * std::log(2 * M_PI * M_E);
}

TEST(NoiseTraining, CountsReachTheirBoundAndStayBelow) {
  Training run(kCounts, adam(1e-2), 2);
  Counts data(4000, 1), fresh(4000, 2);
  EXPECT_NEAR(most_possible(), -3.35, 0.01);
  for (int k = 0; k < 400; ++k) run.trainer.step(data.rows(k * 250 % 4000, 250), View{}, View{});
  Executor one(1);
  const auto mean = [&](int64_t samples) {
    Session s(system_allocator(), one, run.model, {NonFinite::error, samples, 0});
    Values lp(4000);
    s.log_prob(fresh.rows(0, 4000), View{}, contiguous_view(lp.data(), DType::f64, {4000}));
    double sum = 0;
    for (const double v : lp) sum += v;
    return sum / 4000;
  };
  // The mean over 4,000 rows has a standard error of 0.015.
  const double bound = mean(1), tight = mean(32);
  EXPECT_LT(bound, tight);
  EXPECT_LT(tight, most_possible() + 0.03);
  EXPECT_GT(bound, most_possible() - 0.1);
  EXPECT_GT(tight, most_possible() - 0.06);
}

// In training, a row's noise depends on the seed, the step and its number, like dropout.
TEST(NoiseTraining, IsReproducible) {
  Counts data(600, 1);
  const auto hash = [&](uint32_t threads, int64_t seed, Memory memory) {
    TrainerConfig c = adam();
    c.seed = seed;
    c.memory = memory;
    Training run(kCounts, c, threads);
    for (int k = 0; k < 3; ++k) run.trainer.step(data.rows(0, 600), View{}, View{});
    return run.hash();
  };
  const uint64_t want = hash(1, 7, Memory::full);
  EXPECT_EQ(hash(3, 7, Memory::full), want);
  EXPECT_NE(hash(1, 8, Memory::full), want);
  EXPECT_EQ(hash(3, 7, Memory::recompute), hash(1, 7, Memory::recompute));
}

TEST(NoiseTraining, RowsThatAreNotLevelsAreNamed) {
  Training run(kCounts, adam());
  Counts data(100, 1);
  run.trainer.step(data.rows(0, 100), View{}, View{});
  data.x[2 * 41] = 2.5;
  EXPECT_ERROR(
      run.trainer.step(data.rows(0, 100), View{}, View{}), Code::numeric,
      "the loss of row 41 is not finite (1 such row), first at spec.layers[0] (dequantize); step 2 was not applied");
}

TEST(NoiseTraining, OtherObjectivesRefuse) {
  for (const char* name : {"reverse_kl", "symmetric", "alpha", "fisher"}) {
    TrainerConfig c = adam();
    c.objective.choose(*Registry<ObjectiveKind>::find(name));
    EXPECT_ERROR(Training(kCounts, c), Code::unsupported, "whose log_prob is a bound: use nll");
  }
}

}  // namespace
}  // namespace libnf::test
