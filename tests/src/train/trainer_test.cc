// Training: the same bits for any number of threads and after a restart; weights, clipping and schedules have their
// documented effect; two ranks equal one process with the whole batch; a step that is not finite is not applied and
// says why; the loss decreases.
#include "src/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 3, "context": 1, "base": "diagonal_normal", "layers": [{"repeat": 2, "layers": [
  {"type": "affine_coupling", "hidden": [16, 16]}, {"type": "reverse"}, {"type": "elementwise_affine"}]}]})";
constexpr char kDropout[] = R"({"event": 3, "context": 1, "layers": [
  {"type": "affine_coupling", "hidden": [16, 16], "dropout": 0.3}, {"type": "reverse"},
  {"type": "affine_coupling", "net": "residual", "hidden": [8], "dropout": 0.5, "activation": "silu"}]})";
constexpr char kDouble[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "affine_coupling", "hidden": [12]}, {"type": "reverse"}, {"type": "additive_coupling", "hidden": [12]}]})";

TEST(Trainer, ThreadsDoNotChangeBits) {
  Data data(700);
  for (const char* spec : {kSpec, kDropout, kDouble})
    for (const Memory memory : {Memory::full, Memory::recompute})
      for (const int64_t batch : {50, 300, 600}) {
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

// The average against its definition, from the parameters after every step; training never uses it.
TEST(Trainer, AverageOfTheParameters) {
  Data data(200);
  for (const bool corrected : {true, false}) {
    TrainerConfig config = adam();
    Training plain(kDouble, config);
    config.ema.decay = 0.8;
    config.ema.bias_correction = corrected;
    Training run(kDouble, config, 2);
    Values sum = corrected ? Values(run.params().size()) : run.params();
    double weight = corrected ? 0 : 1;
    run.trainer.use_average(true);
    EXPECT_EQ(run.hash(), plain.hash()) << "before the first step the average equals the parameters";
    for (int k = 0; k < 12; ++k) {
      run.steps(data, 1, 50);  // restores the parameters by itself
      plain.steps(data, 1, 50);
      ASSERT_EQ(run.hash(), plain.hash()) << "step " << k;
      const Values p = run.params();
      weight = 0.8 * weight + 0.2;
      for (size_t i = 0; i < p.size(); ++i) sum[i] = 0.8 * sum[i] + 0.2 * p[i];
      run.trainer.use_average(true);
      run.trainer.use_average(true);  // a no-op
      const Values average = run.params();
      for (size_t i = 0; i < p.size(); ++i) ASSERT_NEAR(average[i], sum[i] / weight, 1e-13) << "step " << k;
      if (k % 2) run.trainer.use_average(false);
    }
  }
  Training none(kSpec, adam());
  EXPECT_ERROR(none.trainer.use_average(true), Code::state, "ema_decay");
}

TEST(Trainer, SeedsOfDropoutMatter) {
  Data data(100);
  TrainerConfig config = adam();
  Training a(kDropout, config), b(kDropout, config);
  config.seed = 1;
  Training c(kDropout, config);
  for (Training* r : {&a, &b, &c}) r->steps(data, 3, 100);
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_NE(a.hash(), c.hash());
}

// For every optimizer and schedule: stopping after k steps, saving, and continuing in a new trainer changes nothing.
TEST(Trainer, RestoringContinuesWithTheSameBits) {
  Data data(200);
  for (int kind = 0; kind < 8; ++kind)
    for (const ScheduleKind schedule : {ScheduleKind::constant, ScheduleKind::cosine}) {
      TrainerConfig config = adam();
      config.optimizer.kind = static_cast<OptimizerKind>(kind);
      if (config.optimizer.kind == OptimizerKind::sgd) config.optimizer.momentum = 0.9;
      config.schedule.kind = schedule;
      config.max_steps = 20;
      config.seed = 8;
      SCOPED_TRACE(kind);
      Training whole(kDropout, config);
      whole.steps(data, 20, 64);
      Training first(kDropout, config);
      first.steps(data, 7, 64);
      MemorySink file;
      write_checkpoint(file, first.model, {{"who", "me"}}, first.trainer);
      Training second(kDropout, config, 2);
      second.steps(data, 3, 64);  // its earlier state is discarded
      Notes notes;
      read_checkpoint(file.bytes(), second.model, notes, second.trainer);
      EXPECT_EQ(notes.at("who"), "me");
      EXPECT_EQ(second.trainer.steps(), 7u);
      EXPECT_EQ(second.hash(), first.hash());
      second.steps(data, 13, 64);
      EXPECT_EQ(second.hash(), whole.hash());
      EXPECT_EQ(second.last.loss, whole.last.loss);
      EXPECT_EQ(second.last.lr, whole.last.lr);
      // A checkpoint is a model file, too.
      EXPECT_EQ(read_model(system_allocator(), file.bytes()).model->params().hash(), first.hash());
    }
}

TEST(Trainer, RestoringRefusesWhatDoesNotFit) {
  Data data(64);
  Training run(kSpec, adam());
  run.steps(data, 2, 64);
  MemorySink file, model_file;
  write_checkpoint(file, run.model, {}, run.trainer);
  write_model(model_file, run.model, {});
  Notes notes{{"mine", "1"}};
  Training other(kDouble, adam());
  const uint64_t before = other.hash();
  EXPECT_ERROR(read_checkpoint(file.bytes(), other.model, notes, other.trainer), Code::state, "another spec");
  TrainerConfig sgd = adam();
  sgd.optimizer.kind = OptimizerKind::sgd;
  Training different(kSpec, sgd);
  EXPECT_ERROR(read_checkpoint(file.bytes(), different.model, notes, different.trainer), Code::state, "optimizer");
  EXPECT_ERROR(read_checkpoint(model_file.bytes(), run.model, notes, run.trainer), Code::state, "not a checkpoint");
  EXPECT_EQ(other.hash(), before);
  EXPECT_EQ(other.trainer.steps(), 0u);
  EXPECT_EQ(notes.at("mine"), "1");
}

TEST(Trainer, WeightTwoCountsARowTwiceAndZeroSkipsIt) {
  Data data(40);
  Values weight(40, 1.0);
  Data expanded = data;
  for (const size_t r : {3, 17, 39}) {
    weight[r] = 2;
    expanded.x.insert(expanded.x.end(), &data.x[3 * r], &data.x[3 * r] + 3);
    expanded.context.push_back(data.context[r]);
  }
  expanded.rows = 43;
  Training weighted(kDouble, descent()), repeated(kDouble, descent());
  const StepResult a =
      weighted.trainer.step(data.xs(), data.contexts(), contiguous_view(weight.data(), DType::f64, {40}));
  const StepResult b = repeated.trainer.step(expanded.xs(), expanded.contexts(), View{});
  EXPECT_NEAR(a.loss, b.loss, 1e-12);
  EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-12);
  EXPECT_TRUE(same(weighted.params(), repeated.params(), 1e-12));

  // Rows 30 ... 39 without weight, whatever they hold.
  for (size_t r = 0; r < 40; ++r) weight[r] = r < 30 ? 1 : 0;
  Training masked(kDouble, descent()), cut(kDouble, descent()), garbage(kDouble, descent());
  const View w = contiguous_view(weight.data(), DType::f64, {40});
  const StepResult c = masked.trainer.step(data.xs(), data.contexts(), w);
  const StepResult d = cut.trainer.step(data.xs(0, 30), data.contexts(0, 30), View{});
  EXPECT_NEAR(c.loss, d.loss, 1e-12);
  EXPECT_TRUE(same(masked.params(), cut.params(), 1e-12));
  data.x[3 * 35] = NAN;
  data.x[3 * 36 + 1] = INFINITY;
  data.context[37] = NAN;
  const StepResult e = garbage.trainer.step(data.xs(), data.contexts(), w);
  EXPECT_EQ(e.loss, c.loss);
  EXPECT_EQ(garbage.hash(), masked.hash());
}

TEST(Trainer, BadWeightsAreRefused) {
  Data data(4);
  Training run(kDouble, descent());
  const uint64_t before = run.hash();
  const auto with = [&](std::vector<double> w) {
    run.trainer.step(data.xs(), data.contexts(), contiguous_view(w.data(), DType::f64, {4}));
  };
  EXPECT_ERROR(with({1, 1, -1, 1}), Code::argument, "weight[2] = -1");
  EXPECT_ERROR(with({1, NAN, 1, 1}), Code::argument, "weight[1]");
  EXPECT_ERROR(with({INFINITY, 1, 1, 1}), Code::argument, "weight[0]");
  EXPECT_ERROR(with({0, 0, 0, 0}), Code::argument, "all 4 weights are zero");
  EXPECT_EQ(run.hash(), before);
  EXPECT_EQ(run.trainer.steps(), 0u);
}

// The loss is the mean of -log p, and descent follows its gradient.
TEST(Trainer, StepFollowsTheGradientOfTheMeanLoss) {
  Data data(50);
  Training run(kDouble, descent());
  Tape t(system_allocator(), DType::f64);
  t.recording = false;
  const auto loss = [&] {
    const TapeScope scope(t);
    std::vector<Node> nodes(run.model.params().slots().size());
    run.model.params().bind(nodes.data(), nullptr, nullptr);
    Var x = t.input(data.xs(), false), c = t.input(data.contexts(), false);
    double sum = 0;
    for (double v : values_of<double>(run.model.log_prob({t, nodes.data()}, x, c)->out)) sum -= v;
    return sum / 50;
  };
  const double before = loss();
  std::vector<Values> start;
  std::vector<double> difference;
  for (size_t i = 0; i < run.model.params().slots().size(); ++i) {
    const View v = run.model.params().view(i);
    start.push_back(values_of<double>(v));
    double& p = v.as<double>()[0];
    const double keep = p;
    difference.push_back(five_point(1e-4, {1.0}, [&](double h) {
      p = keep + h;
      return Values{loss()};
    }));
    p = keep;
  }
  run.trainer.parameters_changed();
  const StepResult r = run.trainer.step(data.xs(), data.contexts(), View{});
  EXPECT_EQ(r.step, 1u);
  EXPECT_EQ(r.lr, 0.1);
  EXPECT_NEAR(r.loss, before, 1e-12 * std::abs(before));
  double norm = 0;
  for (size_t i = 0; i < start.size(); ++i) {
    const Values now = values_of<double>(run.model.params().view(i));
    EXPECT_NEAR((start[i][0] - now[0]) / 0.1, difference[i], 1e-6) << run.model.params().slots()[i].name;
    for (size_t k = 0; k < now.size(); ++k) norm += std::pow((start[i][k] - now[k]) / 0.1, 2);
  }
  EXPECT_NEAR(r.grad_norm, std::sqrt(norm), 1e-9);
}

TEST(Trainer, ClippingTakesEffect) {
  Data data(50);
  Training free(kDouble, descent());
  const Values start = free.params();
  free.steps(data, 1, 50);
  const auto moved = [&](Training& run) {
    run.steps(data, 1, 50);
    EXPECT_EQ(run.last.grad_norm, free.last.grad_norm) << "reported before clipping";
    Values by = run.params();
    for (size_t k = 0; k < by.size(); ++k) by[k] = (start[k] - by[k]) / 0.1;
    return by;
  };
  TrainerConfig config = descent();
  config.clip.max_norm = free.last.grad_norm / 4;
  Training norm(kDouble, config);
  double sum = 0, largest = 0;
  for (double g : moved(norm)) {
    sum += g * g;
    largest = std::max(largest, std::abs(g));
  }
  EXPECT_NEAR(std::sqrt(sum), config.clip.max_norm, 1e-5);
  config.clip.max_value = largest / 2;
  Training value(kDouble, config);
  double now = 0;
  for (double g : moved(value)) now = std::max(now, std::abs(g));
  EXPECT_NEAR(now, config.clip.max_value, 1e-9);
}

// Validation losses reach the schedule, and its state survives a checkpoint.
TEST(Trainer, PlateauReactsAndIsSaved) {
  Data data(40);
  TrainerConfig config = adam(0.1);
  config.schedule.kind = ScheduleKind::plateau;
  config.schedule.patience = 1;
  config.schedule.decay = 0.5;
  Training run(kDouble, config);
  for (double loss : {3.0, 3.0, 3.0}) run.trainer.observe_validation(loss);  // one best, then two without improvement
  run.steps(data, 1, 40);
  EXPECT_EQ(run.last.lr, 0.05);
  MemorySink saved;
  write_checkpoint(saved, run.model, {}, run.trainer);
  Training later(kDouble, config);
  Notes notes;
  read_checkpoint(saved.bytes(), later.model, notes, later.trainer);
  EXPECT_EQ(later.trainer.plateau().best, 3.0);
  later.steps(data, 1, 40);
  EXPECT_EQ(later.last.lr, 0.05);
}

TEST(Trainer, SchedulesTakeEffect) {
  Data data(40);
  TrainerConfig config = adam(0.1);
  config.schedule.kind = ScheduleKind::cosine;
  config.schedule.warmup_steps = 2;
  config.schedule.warmup_start = 0.5;
  config.max_steps = 12;
  Training run(kDouble, config);
  const ScheduleConfig resolved = resolve(config.schedule, 12);
  for (uint64_t k = 0; k < 12; ++k) {
    run.steps(data, 1, 40);
    EXPECT_EQ(run.last.lr, learning_rate(resolved, 0.1, k));
    if (k < 2) {
      EXPECT_NEAR(run.last.lr, 0.05 + 0.025 * static_cast<double>(k), 1e-15);
    }
  }
  EXPECT_LT(run.last.lr, 0.01);
  // The optimizer uses the schedule: rate 0 changes nothing.
  config = descent();
  config.schedule.warmup_steps = 1;
  config.schedule.warmup_start = 0;
  Training still(kDouble, config);
  const uint64_t before = still.hash();
  still.steps(data, 1, 40);
  EXPECT_EQ(still.hash(), before);
  still.steps(data, 1, 40);
  EXPECT_NE(still.hash(), before);
}

TEST(Trainer, ABadStepIsNotAppliedAndSaysWhy) {
  Data data(100);
  for (const char* spec : {kSpec, kDropout}) {
    Training run(spec, adam(), 2), twin(spec, adam(), 2);
    run.steps(data, 3, 100);
    twin.steps(data, 3, 100);
    const uint64_t before = run.hash();
    Data bad = data;
    bad.x[3 * 41 + 1] = NAN;
    bad.x[3 * 77] = INFINITY;
    EXPECT_ERROR(run.steps(bad, 1, 100), Code::numeric,
                 "row 41 of x holds NaN or infinity (2 such rows); step 4 was not applied");
    Data half = data;
    half.context[7] = NAN;
    EXPECT_ERROR(run.steps(half, 1, 100), Code::numeric,
                 "the context of row 7 holds NaN or infinity (1 such row); step 4 was not applied");
    EXPECT_EQ(run.hash(), before);
    EXPECT_EQ(run.trainer.steps(), 3u);
    // The optimizer's state has not changed either.
    run.steps(data, 2, 100);
    twin.steps(data, 2, 100);
    EXPECT_EQ(run.hash(), twin.hash());
  }
  // Finite data that make a layer overflow.
  Training run(R"({"event": 3, "context": 1, "layers": [{"type": "reverse"}, {"type": "elementwise_affine"}]})",
               adam());
  const auto slot = static_cast<size_t>(run.model.params().find("layers.1.log_scale"));
  run.model.params().view(slot).as<float>()[1] = 1e4f;
  run.trainer.parameters_changed();
  const uint64_t before = run.hash();
  EXPECT_ERROR(
      run.steps(data, 1, 100), Code::numeric,
      "the loss of row 0 is not finite (100 such rows), first at spec.layers[1] (elementwise_affine); step 1 was not "
      "applied");
  EXPECT_EQ(run.hash(), before);
}

TEST(Trainer, TheLossFalls) {
  Data data(1000), fresh(1000, 77);
  Training run(kSpec, adam(5e-3), 2);
  run.steps(data, 1, 500);
  const double start = run.last.loss;
  run.steps(data, 400, 500);
  // The entropy of the data is 3/2 log(2 pi e) + log 0.3 = 3.05 nats (x2's log-scale has mean 0).
  const double entropy = 1.5 * std::log(2 * M_PI * std::exp(1.0)) + std::log(0.3);
  EXPECT_GT(start, 4);
  EXPECT_LT(run.last.loss, entropy + 0.15);
  EXPECT_GT(run.last.loss, entropy - 0.2);
  run.last = run.trainer.step(fresh.xs(), fresh.contexts(), View{});
  EXPECT_LT(run.last.loss, entropy + 0.25) << "on rows it has not seen";
}

TEST(Trainer, ModelsWithoutParametersStep) {
  Data data(10);
  Training run(R"({"event": 3, "context": 1, "layers": [{"type": "reverse"}]})", adam());
  run.steps(data, 2, 10);
  EXPECT_EQ(run.last.grad_norm, 0);
  EXPECT_TRUE(std::isfinite(run.last.loss));
}

TEST(Trainer, AllocatesNothingAfterTheFirstStep) {
  Data data(300);
  CountingAllocator counting;
  {
    Executor executor(2);
    FlowModel model(system_allocator(), parse_spec(kSpec), 5);
    Trainer trainer(counting.hook(), executor, model, adam(), {});
    trainer.step(data.xs(), data.contexts(), View{});
    const int64_t before = counting.calls;
    for (const int64_t n : {300, 1, 77, 300}) trainer.step(data.xs(0, n), data.contexts(0, n), View{});
    EXPECT_EQ(counting.calls, before);
    size_t alive = 0;
    for (const auto& b : counting.alive) alive += b.bytes;
    EXPECT_EQ(trainer.bytes(), alive);
  }
  EXPECT_TRUE(counting.alive.empty());
  EXPECT_EQ(counting.wrong_frees, 0);
}

// ---- several ranks in one process ---------------------------------------------------------------------------------

TEST(TrainerRanks, AreOneProcessWithTheWholeBatch) {
  Data data(200);
  TrainerConfig config = adam();
  config.clip.max_norm = 0.5;
  Training whole(kDouble, config);
  Values weight(200);
  for (size_t r = 0; r < 200; ++r) weight[r] = 0.5 + static_cast<double>(r % 3);
  const auto weights = [&](int64_t first, int64_t n) {
    return contiguous_view(&weight[static_cast<size_t>(first)], DType::f64, {n});
  };
  for (int k = 0; k < 10; ++k) whole.last = whole.trainer.step(data.xs(), data.contexts(), weights(0, 200));

  Meeting meeting(2);
  Training ranks[2] = {Training(kDouble, config, 1, meeting.rank(0)), Training(kDouble, config, 2, meeting.rank(1))};
  const int64_t cut[] = {0, 130, 200};  // parts of different sizes
  const auto work = [&](int r) {
    for (int k = 0; k < 10; ++k)
      ranks[r].last =
          ranks[r].trainer.step(data.xs(cut[r], cut[r + 1] - cut[r]), data.contexts(cut[r], cut[r + 1] - cut[r]),
                                weights(cut[r], cut[r + 1] - cut[r]));
  };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  EXPECT_EQ(ranks[0].hash(), ranks[1].hash());
  EXPECT_EQ(ranks[0].last.loss, ranks[1].last.loss);
  EXPECT_NEAR(ranks[0].last.loss, whole.last.loss, 1e-9);
  EXPECT_NEAR(ranks[0].last.grad_norm, whole.last.grad_norm, 1e-9);
  EXPECT_TRUE(same(ranks[0].params(), whole.params(), 1e-9));

  // A bad row of one rank stops the step of both.
  const uint64_t before = ranks[0].hash();
  data.x[3 * 150] = NAN;
  const auto fails = [&](int r, const char* text) {
    EXPECT_ERROR(
        ranks[r].trainer.step(data.xs(cut[r], cut[r + 1] - cut[r]), data.contexts(cut[r], cut[r + 1] - cut[r]), View{}),
        Code::numeric, text);
  };
  std::thread bad([&] { fails(1, "row 20 of x holds NaN or infinity (1 such row)"); });
  fails(0, "another rank");
  bad.join();
  EXPECT_EQ(ranks[0].hash(), before);
  EXPECT_EQ(ranks[1].hash(), before);

  meeting.broken = true;
  EXPECT_ERROR(ranks[0].trainer.step(data.xs(0, 130), data.contexts(0, 130), View{}), Code::callback,
               "allreduce_sum failed");
  EXPECT_EQ(ranks[0].hash(), before);
}

// A rank whose rows all have weight 0 takes part like any other.
TEST(TrainerRanks, OneMayHaveNoWeight) {
  Data data(20);
  Values none(10, 0.0), ones(10, 1.0);
  Meeting meeting(2);
  Training ranks[2] = {Training(kDouble, adam(), 1, meeting.rank(0)), Training(kDouble, adam(), 1, meeting.rank(1))};
  Training alone(kDouble, adam());
  alone.trainer.step(data.xs(0, 10), data.contexts(0, 10), View{});
  const auto work = [&](int r, Values& weight) {
    EXPECT_NO_THROW(ranks[r].trainer.step(data.xs(10 * r, 10), data.contexts(10 * r, 10),
                                          contiguous_view(weight.data(), DType::f64, {10})));
  };
  std::thread other([&] { work(1, none); });
  work(0, ones);
  other.join();
  EXPECT_EQ(ranks[0].hash(), ranks[1].hash());
  EXPECT_TRUE(same(ranks[0].params(), alone.params(), 1e-12));
}

}  // namespace
}  // namespace libnf::test
