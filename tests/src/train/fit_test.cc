// Whole runs: the split, the events, the best weights, and a run that was killed and resumed at any point is one that
// never stopped.
#include "src/train/fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "src/io/file_bytes.h"
#include "src/model/model_file.h"
#include "src/train/start.h"
#include "tests/src/train/training.h"
#include "tests/support/brief.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

namespace fs = std::filesystem;

constexpr char kSpec[] = R"({"event": 3, "context": 1, "layers": [{"type": "actnorm"},
  {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [8]}]})";
constexpr char kCoupled[] = R"({"event": 3, "context": 1, "layers": [{"type": "standardize"}, {"type": "batch_norm"},
  {"type": "affine_coupling", "hidden": [8], "dropout": 0.1}, {"type": "batch_norm"}]})";

// A model and runs of it.
struct Fitting {
  explicit Fitting(Data& d, const char* spec = kSpec, uint32_t threads = 1)
      : executor(threads), model(system_allocator(), parse_spec(spec), 5) {
    plan.data = {d.xs(), d.contexts(), {}, {}};
    plan.config.steps = 60;
    plan.config.valid_every = 10;
    plan.trainer = adam();
    plan.batches.batch = 32;
  }
  FitInfo run() {
    events.clear();
    FitHooks hooks;
    hooks.progress = [&](const FitInfo& i) {
      events.push_back(i);
      validated_hash = i.validated ? hash() : validated_hash;
      return stop_at == events.size();
    };
    return fit(system_allocator(), executor, model, notes, plan, hooks);
  }
  uint64_t hash() const { return model.params().hash(); }
  Executor executor;
  FlowModel model;
  Notes notes;
  FitPlan plan;
  std::vector<FitInfo> events;
  uint64_t validated_hash = 0;
  size_t stop_at = 0;  // event, from 1; 0: never
};

class FitFiles : public testing::Test {
 protected:
  FitFiles() : folder(fs::temp_directory_path() / ("nf_fit_" + std::to_string(getpid()))) {
    fs::create_directories(folder);
  }
  ~FitFiles() override { fs::remove_all(folder); }
  std::string path(const char* name) const { return (folder / name).string(); }
  fs::path folder;
};

TEST(Fit, SplitsRowByRow) {
  Data data(100);
  FitPlan plan;
  plan.data = {data.xs(), data.contexts(), {}, {}};
  const auto rows = [](const Selection& s) {
    std::vector<int64_t> all;
    for (int64_t k = 0; k < s.rows(); ++k) all.push_back(s.row_of(k));
    return all;
  };
  FitSplit split = split_rows(plan);
  ASSERT_TRUE(split.valid);
  EXPECT_EQ(split.train.rows(), 90);
  EXPECT_EQ(split.valid->rows(), 10);
  std::vector<int64_t> train = rows(split.train), valid = rows(*split.valid);
  EXPECT_TRUE(std::is_sorted(train.begin(), train.end()) && std::is_sorted(valid.begin(), valid.end()));
  std::set<int64_t> all(train.begin(), train.end());
  all.insert(valid.begin(), valid.end());
  EXPECT_EQ(all.size(), 100u);
  // The same on every machine.
  EXPECT_EQ(valid, (std::vector<int64_t>{0, 1, 21, 35, 38, 39, 55, 72, 79, 95}));
  plan.config.split_seed = 1;
  EXPECT_NE(rows(*split_rows(plan).valid), valid);

  // No part is empty, however few rows there are.
  for (const auto& [n, holdout, want] :
       {std::tuple<int64_t, double, int64_t>{2, 0.1, 1}, {2, 0.9, 1}, {3, 0.001, 1}, {5, 0.4, 2}}) {
    plan.data = {data.xs(0, n), data.contexts(0, n), {}, {}};
    plan.config.holdout = holdout;
    EXPECT_EQ(split_rows(plan).valid->rows(), want) << n;
  }
  plan.data.x.shape[0] = 1;
  EXPECT_ERROR(split_rows(plan), Code::shape, "x has 1 row of weight above 0");
  plan.config.holdout = 0;
  EXPECT_FALSE(split_rows(plan).valid);
  EXPECT_EQ(split_rows(plan).train.rows(), 1);
}

TEST(Fit, RowsWithoutWeightAreInNoPart) {
  Data data(50);
  Values weight(50, 1.0);
  for (size_t r = 0; r < 50; r += 2) weight[r] = 0;
  FitPlan plan;
  plan.data = {data.xs(), data.contexts(), contiguous_view(weight.data(), DType::f64, {50}), {}};
  plan.config.holdout = 0.2;
  const FitSplit split = split_rows(plan);
  EXPECT_EQ(split.train.rows(), 20);
  EXPECT_EQ(split.valid->rows(), 5);
  for (int64_t k = 0; k < 20; ++k) EXPECT_EQ(split.train.row_of(k) % 2, 1);
  weight[7] = -1;
  EXPECT_ERROR(split_rows(plan), Code::argument, "weight[7] = -1");
  std::fill(weight.begin(), weight.end(), 0.0);
  EXPECT_ERROR(split_rows(plan), Code::argument, "all 50 weights are zero");
}

TEST(Fit, SplitsByBlocksWithoutAList) {
  Data data(1000);
  FitPlan plan;
  plan.data = {data.xs(), data.contexts(), {}, {}};
  plan.by_blocks = true;
  plan.batches.part.block = 10;
  FitSplit split = split_rows(plan);
  EXPECT_EQ(split.train.rows(), 900);
  EXPECT_EQ(split.valid->rows(), 100);
  std::set<int64_t> blocks;
  for (int64_t k = 0; k < 900; ++k) blocks.insert(split.train.row_of(k) / 10);
  for (int64_t k = 0; k < 100; ++k) EXPECT_EQ(blocks.count(split.valid->row_of(k) / 10), 0u);
  // Only a part of the blocks is used; its end is held out.
  plan.batches.part.end = 0.5;
  split = split_rows(plan);
  EXPECT_EQ(split.train.rows() + split.valid->rows(), 500);
  plan.batches.part.block = 600;
  EXPECT_ERROR(split_rows(plan), Code::shape, "smaller blocks");
}

// Step by step, what a run is by hand.
TEST(Fit, IsStepsAndValidationsByHand) {
  Data data(300);
  for (const char* spec : {kSpec, kCoupled}) {
    Fitting f(data, spec, 2);
    f.plan.trainer.ema.decay = 0.9;
    const FitInfo last = f.run();

    const FitSplit split = split_rows(f.plan);
    FlowModel model(system_allocator(), parse_spec(spec), 5);
    Executor executor(1);
    TrainerConfig config = adam();
    config.ema.decay = 0.9;
    config.max_steps = 60;
    Trainer trainer(system_allocator(), executor, model, config, {});
    start_from_data(system_allocator(), executor, model, cut_of(model), {data.xs(), data.contexts(), {}, &split.train},
                    {});
    trainer.parameters_changed();
    Batches batches(system_allocator(), f.plan.data, 32, Order::shuffle, 0, split.train, 1024);
    Session session(system_allocator(), executor, model, SessionOptions());
    double best = -1e300, loss_sum = 0;
    uint64_t best_step = 0, hash = 0;
    size_t event = 0;
    for (uint64_t k = 0; k < 60; ++k) {
      batches.gather(k);
      const StepResult r = trainer.step(batches.x(), batches.context(), {});
      loss_sum += r.loss;
      ASSERT_LT(event, f.events.size());
      const FitInfo& e = f.events[event++];
      EXPECT_EQ(e.step, k + 1);
      EXPECT_FALSE(e.validated);
      EXPECT_EQ(e.loss, r.loss);
      EXPECT_EQ(e.lr, r.lr);
      EXPECT_EQ(e.grad_norm, r.grad_norm);
      EXPECT_EQ(e.stop, FitStop::none);
      if ((k + 1) % 10) continue;
      trainer.use_average(true);
      Values lp;
      for (int64_t v = 0; v < split.valid->rows(); ++v) {
        double one = 0;
        const int64_t row = split.valid->row_of(v);
        session.log_prob(data.xs(row, 1), data.contexts(row, 1), contiguous_view(&one, DType::f64, {1}));
        lp.push_back(one);
      }
      double mean = 0, squares = 0;
      for (double v : lp) mean += v / static_cast<double>(lp.size());
      for (double v : lp) squares += (v - mean) * (v - mean);
      const FitInfo& p = f.events[event++];
      EXPECT_TRUE(p.validated);
      EXPECT_EQ(p.step, k + 1);
      EXPECT_NEAR(p.valid, mean, 1e-12);
      EXPECT_NEAR(p.valid_error, std::sqrt(squares / static_cast<double>(lp.size() * (lp.size() - 1))), 1e-12);
      EXPECT_NEAR(p.train, -loss_sum / 10, 1e-12);
      EXPECT_EQ(p.improved, mean > best);
      EXPECT_EQ(p.stop, k == 59 ? FitStop::finished : FitStop::none);
      loss_sum = 0;
      if (mean > best) {
        best = mean;
        best_step = k + 1;
        hash = model.params().hash();
      }
      trainer.use_average(false);
    }
    EXPECT_EQ(event, f.events.size());
    EXPECT_EQ(last.best_step, best_step);
    EXPECT_NEAR(last.best, best, 1e-12);
    EXPECT_EQ(last.stop, FitStop::finished);
    EXPECT_EQ(last.step, 60u);
    EXPECT_EQ(last.train_rows, 270);
    EXPECT_EQ(last.valid_rows, 30);
    EXPECT_EQ(last.steps_per_epoch, 9u);
    EXPECT_EQ(f.hash(), hash) << "the model has the averaged weights of the best validation";
  }
}

TEST(Fit, TheHostSeesTheValidatedWeights) {
  Data data(200);
  Fitting f(data);
  f.plan.trainer.ema.decay = 0.9;
  f.plan.config.restore_best = false;
  f.run();
  EXPECT_EQ(f.hash(), f.validated_hash) << "the last validation was of the averaged weights, which stay";
}

TEST(Fit, PatienceEndsTheRun) {
  Data data(60);
  Fitting f(data);
  f.plan.config.steps = 5000;
  f.plan.config.patience = 3;
  f.plan.trainer.optimizer.lr = 0.05;  // overfits
  const FitInfo last = f.run();
  EXPECT_EQ(last.stop, FitStop::patience);
  EXPECT_LT(last.step, 5000u);
  EXPECT_EQ(last.step, last.best_step + 30);
  EXPECT_EQ(f.events.back().stop, FitStop::patience);
  f.plan.config.holdout = 0;
  EXPECT_ERROR(f.run(), Code::spec, "fit.patience");
}

TEST(Fit, WithoutValidationTheLastWeightsStay) {
  Data data(100);
  Fitting f(data);
  f.plan.config.holdout = 0;
  const FitInfo last = f.run();
  EXPECT_EQ(f.events.size(), 60u);
  EXPECT_EQ(last.stop, FitStop::finished);
  EXPECT_EQ(f.events.back().stop, FitStop::finished);
  EXPECT_EQ(last.best_step, 0u);
  EXPECT_TRUE(std::isnan(last.valid));
  EXPECT_EQ(last.valid_rows, 0);
}

TEST(Fit, ValidationRowsOfTheirOwn) {
  Data data(100), other(50, 9);
  Fitting f(data);
  f.plan.valid = {other.xs(), other.contexts(), {}, {}};
  const FitInfo last = f.run();
  EXPECT_EQ(last.train_rows, 100);
  EXPECT_EQ(last.valid_rows, 50);
  other.x[3 * 13 + 2] = NAN;
  try {
    f.run();
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::numeric);
    EXPECT_EQ(e.place().row, 13);
    EXPECT_NE(std::string(e.what()).find("row 13 of the validation rows"), std::string::npos) << e.what();
  }
}

TEST(Fit, LengthsAndValidations) {
  Data data(100);
  Fitting f(data);
  f.plan.config.steps = 0;
  f.plan.config.epochs = 2.5;
  f.plan.config.valid_every = 0;
  FitInfo last = f.run();
  EXPECT_EQ(last.planned, 8u) << "90 rows are 3 batches";
  int64_t validations = 0;
  for (const FitInfo& e : f.events) validations += e.validated;
  EXPECT_EQ(validations, 8) << "at least 16 in a run, so every step";
  f.plan.config.steps = 3;
  EXPECT_ERROR(f.run(), Code::spec, "set one of them");
  // Two rows: one for each part.
  Data two(2);
  Fitting g(two, R"({"event": 3, "context": 1, "layers": [{"type": "affine_coupling", "hidden": [4]}]})");
  last = g.run();
  EXPECT_EQ(last.train_rows, 1);
  EXPECT_EQ(last.valid_rows, 1);
  EXPECT_EQ(last.valid_error, 0);
}

// Errors name rows of the caller's data, wherever the batch has them.
TEST(Fit, ErrorsNameRowsOfTheData) {
  Data data(200);
  Fitting f(data);
  const FitSplit split = split_rows(f.plan);
  const int64_t row = split.train.row_of(77), held = split.valid->row_of(3);
  const auto failing_row = [&](Fitting& g) {
    try {
      g.run();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::numeric) << e.what();
      EXPECT_NE(std::string(e.what()).find("row " + std::to_string(e.place().row)), std::string::npos) << e.what();
      return e.place().row;
    }
    return int64_t{-1};
  };
  data.x[static_cast<size_t>(3 * row)] = NAN;
  for (const char* spec : {kSpec, kCoupled}) {
    Fitting g(data, spec);
    EXPECT_EQ(failing_row(g), row) << "a layer starts from it";
  }
  // No layer starts from data: the step finds it, and the best weights so far stay.
  Fitting g(data, R"({"event": 3, "context": 1, "layers": [{"type": "affine_coupling", "hidden": [4]}]})");
  g.plan.batches.batch = 4;
  g.plan.config.valid_every = 1;
  EXPECT_EQ(failing_row(g), row);
  data.x[static_cast<size_t>(3 * row)] = 0;
  data.context[static_cast<size_t>(held)] = INFINITY;
  EXPECT_EQ(failing_row(g), held) << "found before the first step";
}

TEST(Fit, AnErrorLeavesTheBestWeights) {
  Data data(200);
  Fitting whole(data, R"({"event": 3, "context": 1, "layers": [{"type": "affine_coupling", "hidden": [4]}]})");
  whole.plan.batches.batch = 4;
  whole.plan.batches.order = Order::sequential;
  whole.plan.config.steps = 10;
  whole.plan.config.valid_every = 5;
  whole.run();
  Fitting broken(data, R"({"event": 3, "context": 1, "layers": [{"type": "affine_coupling", "hidden": [4]}]})");
  broken.plan = whole.plan;
  broken.plan.config.steps = 100;
  broken.plan.trainer.max_steps = 10;
  data.x[static_cast<size_t>(3 * split_rows(whole.plan).train.row_of(41))] = NAN;  // in step 11
  EXPECT_ERROR(broken.run(), Code::numeric, "step 11");
  EXPECT_EQ(broken.events.back().step, 10u);
  ASSERT_EQ(broken.events.back().best_step, whole.events.back().best_step);
  EXPECT_EQ(broken.hash(), whole.hash());
}

TEST(Fit, RowsWithoutADensityAreNamed) {
  Data data(50);
  for (double& v : data.x) v = 0.5;
  Fitting f(data,
            R"({"event": 3, "context": 1, "base": "uniform", "layers": [{"type": "affine_coupling", "hidden": [4]}]})");
  f.plan.config.steps = 3;
  f.plan.config.holdout = 0;
  Data far(4);
  for (double& v : far.x) v = 0.5;
  far.x[3 * 2] = 100;
  f.plan.valid = {far.xs(), far.contexts(), {}, {}};
  EXPECT_EQ(f.run().bad_row, 2);
  for (double& v : far.x) v = 100;
  EXPECT_ERROR(f.run(), Code::numeric, "row 0 of the validation rows and all others had none");
  for (const FitInfo& e : f.events) {
    if (e.validated) {
      EXPECT_EQ(e.valid, -INFINITY);
    }
  }
}

TEST(Fit, RefusesWhatItCannotTrain) {
  Data data(50);
  Fitting f(data);
  f.plan.trainer.objective = ObjectiveConfig("reverse_kl");
  EXPECT_ERROR(f.run(), Code::unsupported, "no rows of data");
  Fitting g(data);
  g.plan.config.resume = true;
  EXPECT_ERROR(g.run(), Code::spec, "fit.checkpoint");
}

// ---- stopping and resuming ----------------------------------------------------------------------------------------

TEST_F(FitFiles, KilledAnywhereAndResumedIsNeverStopped) {
  Data data(300);
  for (const char* spec : {kSpec, kCoupled})
    for (const bool averages : {false, true}) {
      const auto configure = [&](Fitting& f) {
        f.plan.config.steps = 23;
        f.plan.config.valid_every = 5;
        f.plan.trainer.schedule.kind = ScheduleKind::cosine;
        f.plan.trainer.ema.decay = averages ? 0.8 : 0;
        f.plan.trainer.optimizer.lr = 0.2;
        f.plan.config.resume = true;
      };
      Fitting whole(data, spec);
      configure(whole);
      whole.plan.config.checkpoint = path("whole.checkpoint");
      const FitInfo want = whole.run();
      const size_t events = whole.events.size();
      ASSERT_EQ(events, 28u);
      fs::remove(path("whole.checkpoint"));
      for (size_t stop = 1; stop <= events; ++stop) {
        if (brief() && stop % 7 != 1) continue;
        SCOPED_TRACE(stop);
        fs::remove(path("run.checkpoint"));
        size_t seen = 0;
        FitInfo got;
        for (size_t part = 0; part < 40; ++part) {  // stops again and again
          Fitting f(data, spec, part % 2 ? 2 : 1);
          configure(f);
          f.plan.config.checkpoint = path("run.checkpoint");
          f.stop_at = stop;
          got = f.run();
          for (const FitInfo& e : f.events) {
            ASSERT_LT(seen, events);
            const FitInfo& w = whole.events[seen++];
            ASSERT_EQ(e.step, w.step);
            ASSERT_EQ(e.validated, w.validated);
            ASSERT_EQ(e.loss, w.loss);
            ASSERT_EQ(e.train, w.train);
            ASSERT_EQ(e.best_step, w.best_step);
            ASSERT_EQ(e.improved, w.improved);
            if (w.validated) {
              ASSERT_EQ(e.valid, w.valid);
              ASSERT_EQ(e.valid_error, w.valid_error);
            }
          }
          if (got.stop != FitStop::requested) {
            ASSERT_EQ(f.hash(), whole.hash());
            break;
          }
        }
        ASSERT_EQ(seen, events);
        ASSERT_EQ(got.best, want.best);
        ASSERT_EQ(got.stop, FitStop::finished);
      }
    }
}

TEST_F(FitFiles, AKilledProcessLosesOnlyTheStepsSinceTheLastCheckpoint) {
  Data data(300);
  Fitting whole(data);
  whole.run();
  Fitting killed(data);
  killed.plan.config.checkpoint = path("run.checkpoint");
  FitHooks hooks;
  hooks.progress = [&](const FitInfo& i) -> bool {
    if (i.step == 37) throw 1;  // as good as a crash: nothing is saved
    return false;
  };
  EXPECT_THROW(fit(system_allocator(), killed.executor, killed.model, killed.notes, killed.plan, hooks), int);
  Fitting again(data);
  again.plan.config.checkpoint = path("run.checkpoint");
  again.plan.config.resume = true;
  again.run();
  EXPECT_EQ(again.events.front().step, 31u);
  EXPECT_EQ(again.hash(), whole.hash());
  // A finished run that is resumed has nothing left to do, and one with more steps goes on.
  Fitting done(data);
  done.plan.config = again.plan.config;
  const FitInfo info = done.run();
  EXPECT_TRUE(done.events.empty());
  EXPECT_EQ(info.stop, FitStop::finished);
  EXPECT_EQ(done.hash(), whole.hash());
  done.plan.config.steps = 80;
  EXPECT_EQ(done.run().step, 80u);
  // The checkpoint is a model, for older versions too: they know nothing of what a run adds.
  const FileBytes file = FileBytes::read(system_allocator(), path("run.checkpoint").c_str());
  EXPECT_NO_THROW(read_model(system_allocator(), file.bytes()));
}

TEST_F(FitFiles, OtherRunsAreRefused) {
  Data data(100), other(100, 3);
  const auto resume = [&](auto&& change) {
    Fitting f(data);
    f.plan.config.steps = 5;
    f.plan.config.checkpoint = path("run.checkpoint");
    f.plan.config.resume = true;
    change(f.plan);
    f.run();
  };
  resume([](FitPlan&) {});
  resume([](FitPlan& p) { p.config.patience = 7; });
  EXPECT_ERROR(resume([](FitPlan& p) { p.trainer.optimizer.lr = 0.5; }), Code::state, "trainer.lr is 0.5 and was 0.01");
  EXPECT_ERROR(resume([](FitPlan& p) { p.batches.batch = 7; }), Code::state, "batches.batch is 7 and was 32");
  EXPECT_ERROR(resume([](FitPlan& p) { p.config.split_seed = 2; }), Code::state, "fit.split_seed is 2 and was 0");
  EXPECT_ERROR(resume([&](FitPlan& p) { p.data.x = other.xs(); }), Code::state, "hash of the data");
  Training trained(kSpec, adam());
  trained.steps(data, 1, 50);
  MemorySink sink;
  write_checkpoint(sink, trained.model, {}, trained.trainer);
  FILE* f = std::fopen(path("run.checkpoint").c_str(), "wb");
  std::fwrite(sink.bytes().data(), 1, sink.bytes().size(), f);
  std::fclose(f);
  EXPECT_ERROR(resume([](FitPlan&) {}), Code::state, "not the checkpoint of a run");
}

TEST_F(FitFiles, RunningOutOfMemoryAnywhere) {
  Data data(100);
  Fitting whole(data);
  whole.plan.config.steps = 6;
  whole.plan.config.valid_every = 2;
  whole.run();
  for (int64_t k = 0;; ++k) {
    ASSERT_LT(k, 10000);
    CountingAllocator counting;
    counting.refuse_after = k;
    bool failed = false;
    {
      FlowModel model(system_allocator(), parse_spec(kSpec), 5);
      FitPlan plan = whole.plan;
      plan.config.checkpoint = path("oom.checkpoint");
      Notes notes;
      try {
        fit(counting.hook(), whole.executor, model, notes, plan, {});
        EXPECT_EQ(model.params().hash(), whole.hash());
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::nomem) << e.what();
        failed = true;
      }
    }
    EXPECT_TRUE(counting.alive.empty());
    if (!failed) {
      EXPECT_GT(k, 10);
      break;
    }
  }
}

}  // namespace
}  // namespace libnf::test
