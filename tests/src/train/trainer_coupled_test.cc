// Training with coupled rows (batch_norm): the gradient is that of the loss, whose statistics depend on all rows;
// lanes, threads, memory modes, restarts and ranks change nothing; rows without weight do not count; the statistics
// used for scoring follow the applied steps.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 3, "context": 1, "base": "diagonal_normal", "layers": [{"repeat": 2, "layers": [
  {"type": "affine_coupling", "hidden": [16, 16]}, {"type": "reverse"}, {"type": "batch_norm"}]},
  {"type": "actnorm"}]})";
constexpr char kDropout[] = R"({"event": 3, "context": 1, "layers": [{"type": "batch_norm", "affine": false},
  {"type": "affine_coupling", "hidden": [16, 16], "dropout": 0.3}, {"type": "batch_norm", "variance": "biased"},
  {"type": "affine_coupling", "net": "residual", "hidden": [8], "dropout": 0.5, "activation": "silu"}]})";
constexpr char kDouble[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "affine_coupling", "hidden": [12], "activation": "tanh"}, {"type": "batch_norm"}, {"type": "reverse"},
  {"type": "actnorm"}, {"type": "affine_coupling", "hidden": [12], "activation": "tanh"}, {"type": "batch_norm"},
  {"type": "batch_norm", "affine": false, "variance": "biased", "eps": 0.01}, {"type": "elementwise_affine"}]})";
constexpr char kEmbedded[] = R"({"event": 3, "context": 1, "embedding": {"out": 3, "hidden": [4], "activation": "tanh"},
  "dtype": "float64", "base": {"type": "diagonal_normal", "parameters": "context", "hidden": []}, "layers": [
  {"type": "batch_norm"}, {"type": "affine_coupling", "hidden": [12], "activation": "tanh", "context_by": "film"},
  {"type": "batch_norm"}, {"type": "actnorm"}, {"type": "affine_coupling", "hidden": [12], "activation": "tanh"}]})";
constexpr char kInverted[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "affine_coupling", "hidden": [12]}, {"type": "batch_norm", "invert": true}]})";

View weights(Values& w) { return contiguous_view(w.data(), DType::f64, {static_cast<int64_t>(w.size())}); }

// Moves parameters away from their initial values, where gradients of scales vanish.
void disturb(Training& run) {
  std::mt19937_64 random(11);
  for (size_t i = 0; i < run.model.params().slots().size(); ++i) {
    const ParamSlot& s = run.model.params().slots()[i];
    if (!s.trainable) continue;
    for (int64_t k = 0; k < s.shape.count(); ++k)
      run.model.params().view(i).as<double>()[k] += 0.3 * draw_normal(1, random)[0];
  }
  run.trainer.parameters_changed();
}

// With plain descent, a step shows the gradient; the loss it reports is that of the parameters before it.
TEST(TrainerCoupled, StepFollowsTheGradientOfTheMeanLoss) {
  for (const char* spec : {kDouble, kEmbedded})
    for (const Memory memory : {Memory::full, Memory::recompute})
      for (const bool weighted : {false, true}) {
        Data data(50);  // two lanes
        Values w(50, 1.0);
        if (weighted)
          for (size_t r = 0; r < 50; ++r) w[r] = r % 7 == 3 ? 0 : 0.5 + static_cast<double>(r % 3);
        if (weighted) data.x[3 * 3 + 1] = NAN;
        TrainerConfig config = descent();
        config.memory = memory;
        Training run(spec, config);
        disturb(run);
        run.trainer.step(data.xs(), data.contexts(), weights(w));  // initializes layers
        const auto loss = [&] {
          Training at(spec, config);
          std::memcpy(at.model.params().data(), run.model.params().data(), run.model.params().bytes());
          at.trainer.parameters_changed();
          return at.trainer.step(data.xs(), data.contexts(), weights(w)).loss;
        };
        std::vector<Values> start;
        std::vector<double> difference;
        const auto& slots = run.model.params().slots();
        for (size_t i = 0; i < slots.size(); ++i) {
          const View v = run.model.params().view(i);
          start.push_back(values_of<double>(v));
          for (const int64_t k : {int64_t{0}, v.count() / 2, v.count() - 1}) {
            double& p = v.as<double>()[k];
            const double keep = p;
            difference.push_back(slots[i].trainable ? five_point(1e-3, {1.0},
                                                                 [&](double h) {
                                                                   p = keep + h;
                                                                   return Values{loss()};
                                                                 })
                                                    : 0);
            p = keep;
          }
        }
        run.trainer.parameters_changed();
        run.trainer.step(data.xs(), data.contexts(), weights(w));
        double largest_seen = 0;
        for (size_t i = 0, at = 0; i < slots.size(); ++i) {
          const Values now = values_of<double>(run.model.params().view(i));
          for (const size_t k : {size_t{0}, now.size() / 2, now.size() - 1}) {
            const double want = difference[at++];
            if (!slots[i].trainable) continue;
            largest_seen = std::max(largest_seen, std::abs(want));
            EXPECT_NEAR((start[i][k] - now[k]) / 0.1, want, 1e-7) << slots[i].name << " " << k;
          }
        }
        EXPECT_GT(largest_seen, 0.1);
      }
}

TEST(TrainerCoupled, ThreadsDoNotChangeBits) {
  Data data(1100);
  for (const char* spec : {kSpec, kDropout, kDouble, kEmbedded})
    for (const Memory memory : {Memory::full, Memory::recompute})
      for (const int64_t batch : {50, 300, 1050}) {
        TrainerConfig config = adam();
        config.memory = memory;
        config.seed = 3;
        config.clip.max_norm = 1;
        uint64_t want = 0;
        double loss = 0;
        for (const uint32_t threads : {1u, 2u, 3u, 8u}) {
          Training run(spec, config, threads);
          run.steps(data, batch == 300 ? 50 : 6, batch);
          if (threads == 1) {
            want = run.hash();
            loss = run.last.loss;
          }
          EXPECT_EQ(run.hash(), want) << threads << " threads, batch " << batch;
          EXPECT_EQ(run.last.loss, loss) << threads << " threads, batch " << batch;
        }
      }
}

TEST(TrainerCoupled, RecomputeIsFull) {
  Data data(300);
  for (const char* spec : {kDropout, kDouble}) {
    TrainerConfig config = adam();
    Training full(spec, config);
    config.memory = Memory::recompute;
    Training again(spec, config);
    full.steps(data, 3, 300);
    again.steps(data, 3, 300);
    EXPECT_NEAR(full.last.loss, again.last.loss, 1e-5);
    EXPECT_TRUE(same(full.params(), again.params(), spec == kDouble ? 1e-10 : 1e-5));
  }
}

TEST(TrainerCoupled, RestoringContinuesWithTheSameBits) {
  Data data(200);
  for (const char* spec : {kSpec, kDropout}) {
    TrainerConfig config = adam();
    config.seed = 8;
    Training whole(spec, config);
    whole.steps(data, 20, 64);
    Training first(spec, config);
    first.steps(data, 7, 64);
    MemorySink file;
    write_checkpoint(file, first.model, {}, first.trainer);
    Training second(spec, config, 2);
    second.steps(data, 3, 64);  // its earlier state is discarded
    Notes notes;
    read_checkpoint(file.bytes(), second.model, notes, second.trainer);
    EXPECT_EQ(second.hash(), first.hash());
    second.steps(data, 13, 64);
    EXPECT_EQ(second.hash(), whole.hash());
    EXPECT_EQ(second.last.loss, whole.last.loss);
  }
}

// Wherever rows without weight are and whatever they hold, even if a lane has no other rows.
TEST(TrainerCoupled, RowsOfZeroWeightDoNotCount) {
  Data data(60);
  for (const auto& [from, to] : {std::pair<int64_t, int64_t>{30, 60}, {45, 60}}) {
    Values w(60, 1.0);
    for (int64_t r = from; r < to; ++r) w[static_cast<size_t>(r)] = 0;
    Training masked(kDouble, descent()), cut(kDouble, descent()), garbage(kDouble, descent());
    StepResult a{}, b{}, c{};
    Data bad = data;
    bad.x[3 * 50] = NAN;
    bad.x[3 * 51 + 1] = INFINITY;
    bad.context[57] = NAN;
    for (int k = 0; k < 3; ++k) {
      a = masked.trainer.step(data.xs(), data.contexts(), weights(w));
      b = cut.trainer.step(data.xs(0, from), data.contexts(0, from), View{});
      c = garbage.trainer.step(bad.xs(), bad.contexts(), weights(w));
    }
    EXPECT_NEAR(a.loss, b.loss, 1e-11);
    EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-11);
    EXPECT_TRUE(same(masked.params(), cut.params(), 1e-11)) << "running statistics included";
    EXPECT_EQ(c.loss, a.loss);
    EXPECT_EQ(garbage.hash(), masked.hash());
  }
}

// The dropout mask of a row depends only on its number, so two lanes give the same rows as one.
TEST(TrainerCoupled, DropoutDependsOnTheRow) {
  Data data(32);
  Values w(32, 1.0);
  w[31] = 0;
  TrainerConfig config = adam();
  config.optimizer.kind = OptimizerKind::sgd;
  Training two(kDropout, config), one(kDropout, config);
  const StepResult a = two.trainer.step(data.xs(), data.contexts(), weights(w));
  const StepResult b = one.trainer.step(data.xs(0, 31), data.contexts(0, 31), View{});
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
  EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-5 * b.grad_norm);
}

TEST(TrainerCoupled, ABatchOfOneRowIsRefused) {
  Data data(40);
  Training run(kSpec, adam());
  EXPECT_ERROR(run.steps(data, 1, 1), Code::argument, "(batch_norm");
  run.steps(data, 1, 2);
  const uint64_t before = run.hash();
  Values w(40, 0.0);
  w[17] = 1;
  EXPECT_ERROR(run.steps(data, 1, 1), Code::argument,
               "spec.layers[0].layers[2] (batch_norm, repetition 0) needs at least 2 rows");
  EXPECT_ERROR(run.trainer.step(data.xs(), data.contexts(), weights(w)), Code::argument, "needs at least 2 rows");
  EXPECT_EQ(run.hash(), before);
  w[3] = 1;
  run.trainer.step(data.xs(), data.contexts(), weights(w));
}

TEST(TrainerCoupled, ABadStepIsNotAppliedAndSaysWhy) {
  Data data(100);
  Training run(kSpec, adam(), 2), twin(kSpec, adam(), 2);
  Data bad = data;
  bad.x[3 * 41 + 1] = NAN;
  EXPECT_ERROR(run.steps(bad, 1, 100), Code::numeric,
               "row 41 of x holds NaN or infinity, so spec.layers[0].layers[2] (batch_norm, repetition 0) cannot start "
               "from data");
  run.steps(data, 3, 100);
  twin.steps(data, 3, 100);
  const uint64_t before = run.hash();
  EXPECT_EQ(before, twin.hash());
  EXPECT_ERROR(
      run.steps(bad, 1, 100), Code::numeric,
      "row 41 of x holds NaN or infinity, so the statistics at spec.layers[0].layers[2] (batch_norm, repetition "
      "0) are not finite either; step 4 was not applied");
  EXPECT_EQ(run.hash(), before) << "running statistics included";
  EXPECT_EQ(run.trainer.steps(), 3u);
  run.steps(data, 2, 100);
  twin.steps(data, 2, 100);
  EXPECT_EQ(run.hash(), twin.hash());
}

double score(const Training& run, const Data& data) {
  Tape t(system_allocator(), DType::f32);
  t.recording = false;
  std::vector<Node> nodes(run.model.params().slots().size());
  run.model.params().bind(nodes.data(), nullptr, nullptr);
  Var x = t.empty({data.rows, 3}), c = t.empty({data.rows, 1});
  for (size_t k = 0; k < data.x.size(); ++k) x->out.as<float>()[k] = static_cast<float>(data.x[k]);
  for (size_t k = 0; k < data.context.size(); ++k) c->out.as<float>()[k] = static_cast<float>(data.context[k]);
  double sum = 0;
  for (double v : values_of<float>(run.model.log_prob({t, nodes.data()}, x, c)->out)) sum -= v;
  return sum / static_cast<double>(data.rows);
}

// If the running statistics are those of the batch, scoring it gives the training loss.
TEST(TrainerCoupled, ScoringTheBatchByItsOwnStatisticsIsTheLoss) {
  Data data(300);
  for (const char* field : {"", R"(, "affine": false, "eps": 0.1)"}) {
    const std::string norm = R"({"type": "batch_norm", "momentum": 1)" + std::string(field) + "}";
    const std::string spec = R"({"event": 3, "context": 1, "layers": [{"repeat": 2, "layers": [
      {"type": "affine_coupling", "hidden": [16, 16]}, {"type": "reverse"}, )" +
                             norm + R"(]}, {"type": "actnorm"}]})";
    Training run(spec.c_str(), adam(5e-3));
    run.steps(data, 30, 300);
    TrainerConfig still = descent();
    still.schedule.warmup_steps = 1;
    still.schedule.warmup_start = 0;
    Trainer last(system_allocator(), run.executor, run.model, still, {});
    const double loss = last.step(data.xs(), data.contexts(), View{}).loss;
    EXPECT_NEAR(score(run, data), loss, 1e-5);
  }
}

// Scoring uses running statistics, which end up near those of the batches.
TEST(TrainerCoupled, TheLossFallsAndScoringAgrees) {
  Data data(1000), fresh(1000, 77);
  TrainerConfig config = adam(5e-3);
  config.schedule.kind = ScheduleKind::cosine;  // statistics settle when parameters do
  config.max_steps = 400;
  Training run(kSpec, config, 2);
  run.steps(data, 1, 1000);
  const double start = run.last.loss;
  run.steps(data, 399, 1000);
  const double entropy = 1.5 * std::log(2 * M_PI * std::exp(1.0)) + std::log(0.3);
  EXPECT_GT(start, 3.8);
  EXPECT_LT(run.last.loss, entropy + 0.15);
  EXPECT_NEAR(score(run, data), run.last.loss, 1e-3);
  EXPECT_LT(score(run, fresh), entropy + 0.25) << "on rows it has not seen";
}

// An inverted layer trains with its running statistics and does not update them.
TEST(TrainerCoupled, InvertedLayersDoNotCouple) {
  Data data(100);
  Training run(kInverted, adam());
  run.steps(data, 5, 100);
  const auto value = [&](const char* name) {
    return values_of<double>(run.model.params().view(static_cast<size_t>(run.model.params().find(name))));
  };
  EXPECT_EQ(value("layers.1.running_mean"), Values(3, 0.0));
  EXPECT_EQ(value("layers.1.running_var"), Values(3, 1.0));
  EXPECT_NE(value("layers.1.bias"), Values(3, 0.0));
  run.steps(data, 1, 1);  // so a batch of one row is allowed
}

TEST(TrainerCoupled, MemoryIsKnownAndGrowsWithTheBatchOnly) {
  Data data(1200);
  size_t full_bytes = 0;
  for (const Memory memory : {Memory::full, Memory::recompute}) {
    CountingAllocator counting;
    Executor executor(2);
    FlowModel model(system_allocator(), parse_spec(kSpec), 5);
    TrainerConfig config = adam();
    config.memory = memory;
    Trainer trainer(counting.hook(), executor, model, config, {});
    EXPECT_EQ(trainer.bytes(), counting.bytes);
    for (const int64_t largest : {100, 1100}) {
      trainer.step(data.xs(0, largest), data.contexts(0, largest), View{});
      const int64_t before = counting.calls;
      const size_t bytes = trainer.bytes();
      EXPECT_EQ(bytes, counting.bytes);
      // 383 rows have the longest lanes of all batches below 1,500.
      for (const int64_t n : {int64_t{2}, int64_t{77}, std::min<int64_t>(largest, 383), largest})
        trainer.step(data.xs(0, n), data.contexts(0, n), View{});
      EXPECT_EQ(counting.calls, before) << "at most " << largest << " rows";
      EXPECT_EQ(trainer.bytes(), bytes);
    }
    if (memory == Memory::full)
      full_bytes = trainer.bytes();
    else
      EXPECT_LT(trainer.bytes(), full_bytes);
  }
}

TEST(TrainerCoupledRanks, AreOneProcessWithTheWholeBatch) {
  Data data(200);
  TrainerConfig config = adam();
  config.clip.max_norm = 0.5;
  Training whole(kDouble, config);
  Values w(200);
  for (size_t r = 0; r < 200; ++r) w[r] = 0.5 * static_cast<double>(r % 3);
  const auto part = [&](int64_t first, int64_t n) {
    return contiguous_view(&w[static_cast<size_t>(first)], DType::f64, {n});
  };
  for (int k = 0; k < 10; ++k) whole.last = whole.trainer.step(data.xs(), data.contexts(), part(0, 200));
  Meeting meeting(2);
  Training ranks[2] = {Training(kDouble, config, 1, meeting.rank(0)), Training(kDouble, config, 2, meeting.rank(1))};
  const int64_t cut[] = {0, 130, 200};
  const auto work = [&](int r) {
    const int64_t n = cut[r + 1] - cut[r];
    for (int k = 0; k < 10; ++k)
      ranks[r].last = ranks[r].trainer.step(data.xs(cut[r], n), data.contexts(cut[r], n), part(cut[r], n));
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  EXPECT_EQ(ranks[0].hash(), ranks[1].hash()) << "running statistics included";
  EXPECT_NEAR(ranks[0].last.loss, whole.last.loss, 1e-9);
  EXPECT_NEAR(ranks[0].last.grad_norm, whole.last.grad_norm, 1e-9);
  EXPECT_TRUE(same(ranks[0].params(), whole.params(), 1e-8));
}

}  // namespace
}  // namespace libnf::test
