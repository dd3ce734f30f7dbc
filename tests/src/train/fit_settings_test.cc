// Runs with settings of their own: parts given by the host, short last batches, validation rows without a density, keeping
// the best checkpoint and continuing from it with other settings.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "src/io/file_bytes.h"
#include "src/model/model_file.h"
#include "src/train/fit.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

namespace fs = std::filesystem;

constexpr char kSpec[] = R"({"event": 3, "context": 1, "layers": [{"type": "actnorm"},
  {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [8]}]})";
constexpr char kBatchNorm[] = R"({"event": 3, "context": 1, "layers": [{"type": "masked_autoregressive", "hidden": [8]},
  {"type": "batch_norm"}]})";
constexpr char kBox[] =
    R"({"event": 3, "context": 1, "base": {"type": "uniform", "low": [-20], "high": [20]}, "layers": [
  {"type": "elementwise_affine"}]})";

struct FitRun {
  explicit FitRun(Data& d, const char* spec = kSpec) : executor(1), model(system_allocator(), parse_spec(spec), 5) {
    plan.data = {d.xs(), d.contexts(), {}, {}};
    plan.config.steps = 30;
    plan.config.valid_every = 5;
    plan.trainer = adam();
    plan.batches.batch = 32;
  }
  FitInfo run() {
    events.clear();
    FitHooks hooks;
    hooks.progress = [&](const FitInfo& i) {
      events.push_back(i);
      return events.size() == stop_at;
    };
    return fit(system_allocator(), executor, model, notes, plan, hooks);
  }
  uint64_t hash() const { return model.params().hash(); }
  Executor executor;
  FlowModel model;
  Notes notes;
  FitPlan plan;
  std::vector<FitInfo> events;
  size_t stop_at = 0;
};

class FitSettings : public testing::Test {
 protected:
  FitSettings() : folder(fs::temp_directory_path() / ("nf_fit_settings_" + std::to_string(getpid()))) {
    fs::create_directories(folder);
  }
  ~FitSettings() override { fs::remove_all(folder); }
  std::string path(const char* name) const { return (folder / name).string(); }
  fs::path folder;
};

TEST_F(FitSettings, PartsOfTheHostAreAsGood) {
  Data data(200);
  FitRun split(data), given(data);
  const FitSplit parts = split_rows(split.plan);
  std::vector<float> part(200, 2);  // neither
  for (int64_t k = 0; k < parts.train.rows(); ++k) part[static_cast<size_t>(parts.train.row_of(k))] = 0;
  for (int64_t k = 0; k < parts.valid->rows(); ++k) part[static_cast<size_t>(parts.valid->row_of(k))] = 1;
  given.plan.part = contiguous_view(part.data(), DType::f32, {200});
  given.plan.config.holdout = 0.5;  // ignored
  split.run();
  FitInfo last = given.run();
  EXPECT_EQ(given.hash(), split.hash());
  EXPECT_EQ(last.train_rows, 180);
  EXPECT_EQ(last.valid_rows, 20);
  for (int64_t k = 0; k < 30; ++k) part[static_cast<size_t>(parts.train.row_of(k))] = 7;
  EXPECT_EQ(given.run().train_rows, 150);
  // A checkpoint belongs to its parts.
  given.plan.config.checkpoint = path("run");
  given.plan.config.resume = true;
  given.run();
  std::swap(part[static_cast<size_t>(parts.train.row_of(40))], part[static_cast<size_t>(parts.valid->row_of(0))]);
  EXPECT_ERROR(given.run(), Code::state, "parts");
  std::fill(part.begin(), part.end(), 1.0f);
  EXPECT_ERROR(given.run(), Code::shape, "data.part leaves no row");
}

TEST_F(FitSettings, RowsTooFewForBatchNormJoinTheBatchBefore) {
  Data data(97);  // 3 batches of 32 and a row
  FitRun f(data, kBatchNorm);
  f.plan.config.holdout = 0;
  f.plan.config.steps = 7;
  const FitInfo last = f.run();
  EXPECT_EQ(last.steps_per_epoch, 3u);
  EXPECT_EQ(last.merged_rows, 1);
  for (const FitInfo& e : f.events) EXPECT_EQ(e.batch_rows, e.step % 3 == 0 ? 33 : 32) << e.step;
  // Without such a layer the row is a batch.
  FitRun plain(data);
  plain.plan.config.holdout = 0;
  plain.plan.config.steps = 4;
  EXPECT_EQ(plain.run().merged_rows, 0);
  EXPECT_EQ(plain.events.back().batch_rows, 1);
  plain.plan.batches.smallest = 20;
  plain.plan.data.x.shape[0] = plain.plan.data.context.shape[0] = 32 + 19;
  EXPECT_EQ(plain.run().merged_rows, 19);
  // All rows in one batch stay one, however few.
  plain.plan.data.x.shape[0] = plain.plan.data.context.shape[0] = 19;
  EXPECT_EQ(plain.run().merged_rows, 0);
}

TEST_F(FitSettings, MergedBatchesHaveEveryRowOfAnEpochOnce) {
  Data data(70);
  for (const Order order : {Order::shuffle, Order::sequential, Order::blocks}) {
    Batches b(system_allocator(), {data.xs(), data.contexts(), {}, {}}, 32, order, 3, Selection(70), 8, 7);
    ASSERT_EQ(b.per_epoch(), 2u);
    EXPECT_EQ(b.merged(), 6);
    for (uint64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<int> seen(70);
      for (uint64_t k = 0; k < 2; ++k) {
        b.gather(2 * epoch + k);
        ASSERT_EQ(b.x().shape[0], k == 0 ? 32 : 38);
        for (int64_t r = 0; r < b.x().shape[0]; ++r) ++seen[static_cast<size_t>(b.numbers()[r])];
      }
      EXPECT_EQ(seen, std::vector<int>(70, 1));
    }
  }
}

TEST_F(FitSettings, AFewRowsWithoutADensityAreCountedAndARunKeepsAModel) {
  Data data(100), valid(40, 9);
  valid.x[3 * 11] = 1000;  // outside the box, wherever the map moves it
  valid.x[3 * 17 + 2] = -1000;
  FitRun f(data, kBox);
  f.plan.valid = {valid.xs(), valid.contexts(), {}, {}};
  const FitInfo last = f.run();
  EXPECT_EQ(last.bad_rows, 2);
  EXPECT_EQ(last.bad_row, 11);
  EXPECT_EQ(last.valid, -INFINITY);
  EXPECT_GT(last.best_step, 0u);
  double best = -INFINITY;
  for (const FitInfo& e : f.events) {
    if (!e.validated) continue;
    ASSERT_TRUE(std::isfinite(e.valid_rest));
    EXPECT_EQ(e.improved, e.valid_rest > best) << e.step;
    best = std::max(best, e.valid_rest);
  }
  // Rows that count only with weight 0 are none.
  Values weight(40, 1.0);
  weight[11] = weight[17] = 0;
  f.plan.valid.weight = contiguous_view(weight.data(), DType::f64, {40});
  EXPECT_EQ(f.run().bad_rows, 0);
}

TEST_F(FitSettings, FewerRowsWithoutADensityAreBetterThanAnyMean) {
  Data data(100), valid(40, 9);
  valid.x[3 * 11] = 18;  // in the box until the map, which spreads the data over it, has grown by a ninth
  FitRun f(data, kBox);
  f.plan.config.valid_every = 1;
  f.plan.valid = {valid.xs(), valid.contexts(), {}, {}};
  const FitInfo last = f.run();
  EXPECT_EQ(last.bad_rows, 1);
  ASSERT_GT(last.best_step, 1u);
  ASSERT_LT(last.best_step, 25u);
  EXPECT_TRUE(std::isfinite(last.best));
  double best_rest = 0;
  for (const FitInfo& e : f.events) {
    if (!e.validated) continue;
    EXPECT_EQ(e.bad_rows, e.step > last.best_step) << e.step;
    EXPECT_EQ(e.improved, e.bad_rows == 0) << e.step;
    if (e.step == last.best_step) best_rest = e.valid_rest;
  }
  EXPECT_GT(last.valid_rest, best_rest);
}

TEST_F(FitSettings, AnnouncesTheRunBeforeItsFirstStep) {
  Data data(100);
  FitRun f(data);
  f.plan.config.announce = true;
  f.plan.config.steps = 0;
  f.plan.config.epochs = 3;
  f.run();
  const FitInfo& first = f.events.front();
  EXPECT_EQ(first.step, 0u);
  EXPECT_FALSE(first.validated);
  EXPECT_EQ(first.planned, 9u);
  EXPECT_EQ(first.steps_per_epoch, 3u);
  EXPECT_EQ(first.train_rows, 90);
  EXPECT_EQ(first.valid_rows, 10);
  EXPECT_EQ(first.valid_every, 5u);
  EXPECT_EQ(f.events[1].step, 1u);
  // Stopped there, the run is saved and starts from the beginning when it is resumed.
  FitRun whole(data);
  whole.run();
  FitRun stopped(data);
  stopped.plan.config.announce = true;
  stopped.plan.config.checkpoint = path("run");
  stopped.plan.config.resume = true;
  stopped.stop_at = 1;
  EXPECT_EQ(stopped.run().stop, FitStop::requested);
  stopped.stop_at = 0;
  stopped.run();
  EXPECT_EQ(stopped.hash(), whole.hash());
}

TEST_F(FitSettings, PointsWithoutValidationHaveTheAveragedWeights) {
  Data data(100);
  FitRun f(data);
  f.plan.config.holdout = 0;
  f.plan.trainer.ema.decay = 0.9;
  FitHooks hooks;
  std::vector<uint64_t> points, hashes;
  hooks.progress = [&](const FitInfo& i) {
    if (i.point) points.push_back(i.step), hashes.push_back(f.hash());
    return false;
  };
  fit(system_allocator(), f.executor, f.model, f.notes, f.plan, hooks);
  EXPECT_EQ(points, (std::vector<uint64_t>{5, 10, 15, 20, 25, 30}));
  EXPECT_EQ(hashes.back(), f.hash()) << "the run ends with the average";
}

TEST_F(FitSettings, KeepsTheBestCheckpointAndContinuesFromItWithOtherSettings) {
  Data data(60);
  FitRun f(data);
  f.plan.config.steps = 400;
  f.plan.trainer.optimizer.lr = 0.05;  // overfits
  f.plan.config.checkpoint = path("run");
  f.plan.config.keep_best = true;
  const FitInfo last = f.run();
  ASSERT_LT(last.best_step, 400u);
  const FileBytes best = FileBytes::read(system_allocator(), path("run.best").c_str());
  EXPECT_EQ(read_model(system_allocator(), best.bytes()).model->params().hash(), f.hash());
  // With the same settings, the same steps again.
  FitRun again(data);
  again.plan = f.plan;
  again.plan.config.resume_from = path("run.best");
  again.run();
  EXPECT_EQ(again.events.front().step, last.best_step + 1);
  EXPECT_EQ(again.events.size(), f.events.size() - last.best_step - last.best_step / 5);
  EXPECT_EQ(again.events.back().loss, f.events.back().loss);
  again.plan.trainer.optimizer.lr = 1e-3;
  EXPECT_ERROR(again.run(), Code::state, "trainer.lr is 0.001 and was 0.05");
  again.plan.config.new_settings = true;
  EXPECT_GE(again.run().best, last.best);
  EXPECT_NE(again.events.back().loss, f.events.back().loss);
  again.plan.batches.batch = 16;
  EXPECT_ERROR(again.run(), Code::state, "batches.batch");
  again.plan.config.resume_from = path("none");
  EXPECT_ERROR(again.run(), Code::io, "fit.resume_from");
  again.plan.config = {};
  again.plan.config.keep_best = true;
  EXPECT_ERROR(again.run(), Code::spec, "fit.keep_best");
}

// The best of several validations, with a row that never has a density, is what a run that was stopped goes on from.
TEST_F(FitSettings, ARunWithRowsWithoutADensityIsResumedToTheSameBits) {
  constexpr char kLogit[] = R"({"event": 3, "context": 1, "layers": [{"type": "logit"},
    {"type": "affine_coupling", "hidden": [32]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [32]}]})";
  Data data(40), valid(40, 9);
  for (Data* d : {&data, &valid})
    for (double& v : d->x) v = 1 / (1 + std::exp(-v));
  valid.x[3 * 11] = 1.5;
  const auto make = [&](FitRun& f) {
    f.plan.valid = {valid.xs(), valid.contexts(), {}, {}};
    f.plan.config.steps = 60;
    f.plan.trainer.optimizer.lr = 0.05;  // overfits
  };
  FitRun whole(data, kLogit);
  make(whole);
  const FitInfo want = whole.run();
  ASSERT_LT(want.best_step, 50u);
  for (const size_t stop : {3, 6, 7, 30, 70}) {
    fs::remove(path("bad"));
    FitRun first(data, kLogit), second(data, kLogit);
    for (FitRun* f : {&first, &second}) {
      make(*f);
      f->plan.config.checkpoint = path("bad");
      f->plan.config.resume = true;
    }
    first.stop_at = stop;
    first.run();
    const FitInfo got = second.run();
    EXPECT_EQ(second.hash(), whole.hash());
    EXPECT_EQ(got.best_step, want.best_step);
    EXPECT_EQ(got.bad_rows, 1);
  }
}

// Written by nf_fit before the guard, parts and rows without a density were known: 16 of 30 steps.
TEST_F(FitSettings, EarlierCheckpointsContinue) {
  std::vector<float> rows;
  for (uint32_t i = 0, seed = 1; i < 600; ++i) {
    seed = seed * 1664525u + 1013904223u;
    rows.push_back(static_cast<float>((seed >> 8) / 16777216.0 * 3 - 1.5));
  }
  const auto run = [&](bool resumes) {
    FlowModel model(system_allocator(), parse_spec(R"({"event": [2], "layers": [{"type": "actnorm"},
                                                            {"type": "affine_coupling", "hidden": [4]}]})"),
                    1);
    FitPlan plan;
    plan.data.x = contiguous_view(rows.data(), DType::f32, {300, 2});
    plan.config.steps = 30;
    plan.config.valid_every = 10;
    plan.batches.batch = 64;
    plan.trainer = adam();
    if (resumes) plan.config.resume_from = std::string(NF_SPEC_DIR) + "/../../tests/src/train/files/fit_0.2.checkpoint";
    Executor executor(1);
    Notes notes;
    int64_t steps = 0;
    FitHooks hooks;
    hooks.progress = [&](const FitInfo& i) {
      steps += !i.validated;
      return false;
    };
    const FitInfo last = fit(system_allocator(), executor, model, notes, plan, hooks);
    EXPECT_EQ(steps, resumes ? 14 : 30);
    return last;
  };
  const FitInfo whole = run(false), resumed = run(true);
  EXPECT_NEAR(resumed.best, whole.best, 1e-5);  // the same bits on the machine of the file
  EXPECT_EQ(resumed.best_step, whole.best_step);
}

}  // namespace
}  // namespace libnf::test
