// How batches are cut: by rows for cheap models, by work for costly ones, and as before for checkpoints without a cut.
#include <gtest/gtest.h>

#include <algorithm>

#include "src/lane/cut.h"
#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

// The rule used before costs were counted.
int64_t lanes_by_rows(int64_t batch) { return std::clamp<int64_t>(batch / 128, batch >= 32 ? 2 : 1, 8); }

constexpr BatchCut kCheap{2000, 1500, 256}, kDense{300'000, 200'000, 64}, kImages{300'000'000, 1'700'000, 4};

TEST(Lanes, OldCheckpointsAreCutByRowsAlone) {
  for (int64_t batch = 1; batch <= 20000; ++batch)
    ASSERT_EQ((BatchCut{0, 200'000, 64}.lanes(batch)), lanes_by_rows(batch)) << batch;
}

TEST(Lanes, VectorModelsKeepTheirLanesUpTo1024Rows) {
  for (const BatchCut& cut : {kCheap, kDense})
    for (int64_t batch = 1; batch <= 1151; ++batch) ASSERT_EQ(cut.lanes(batch), lanes_by_rows(batch)) << batch;
}

TEST(Lanes, GrowWithTheBatch) {
  for (const BatchCut& cut : {BatchCut{}, kCheap, kDense, kImages}) {
    int64_t last = 1;
    for (int64_t batch = 1; batch <= 100'000; ++batch) {
      const int64_t lanes = cut.lanes(batch);
      ASSERT_GE(lanes, last);
      ASSERT_LE(lanes, std::min(batch, kMaxLanes));
      last = lanes;
    }
  }
}

TEST(Lanes, ASmallBatchOfACostlyModelFillsManyCores) {
  EXPECT_EQ(kImages.lanes(16), 16);
  EXPECT_EQ(kImages.lanes(4), 4);
  EXPECT_EQ(kImages.lanes(256), 64);
  EXPECT_EQ(kCheap.lanes(16), 1);
  EXPECT_EQ(kCheap.lanes(10'000), 8) << "a lane of a cheap model is worth thousands of rows";
}

TEST(Lanes, ALargeBatchIsNotCappedAtEight) {
  EXPECT_EQ(kDense.lanes(2048), 16);
  EXPECT_EQ(kDense.lanes(8192), 16);
  EXPECT_EQ(kDense.lanes(32768), 64);
}

TEST(Lanes, GradientsOfLanesFitIntoMemory) {
  EXPECT_EQ((BatchCut{60'000'000'000, 100'000'000, 1}.lanes(64)), 10) << "2^30 numbers";
  EXPECT_EQ((BatchCut{60'000'000'000, 1'000'000'000, 1}.lanes(2048)), 8);
}

TEST(Lanes, MostRowsOfALaneCountSmallerBatchesToo) {
  for (const BatchCut& cut : {BatchCut{}, kCheap, kDense, kImages}) {
    int64_t most = 0;
    for (int64_t batch = 1; batch <= 5000; ++batch) {
      const int64_t lanes = cut.lanes(batch);
      for (int64_t i = 0; i < lanes; ++i)
        most = std::max(most, lane_begin(batch, i + 1, lanes) - lane_begin(batch, i, lanes));
      ASSERT_EQ(cut.most_lane_rows(batch), most) << batch;
    }
  }
}

constexpr char kWide[] = R"({"event": 3, "context": 1, "layers": [{"repeat": 3, "layers": [
  {"type": "affine_coupling", "hidden": [128, 128]}, {"type": "reverse"}]}]})";

// More lanes than before give the same bits for any number of threads, and a resumed run keeps the cut it started with.
TEST(Lanes, ManyLanesAndTheirCheckpoints) {
  Data data(4000);
  uint64_t want = 0;
  for (const uint32_t threads : {1u, 2u, 5u}) {
    Training run(kWide, adam(), threads);
    ASSERT_EQ(run.trainer.cut().lanes(2048), 16);
    run.steps(data, 4, 2048);
    if (threads == 1) want = run.hash();
    EXPECT_EQ(run.hash(), want) << threads << " threads";
  }
  Training first(kWide, adam()), second(kWide, adam(), 2);
  first.steps(data, 2, 2048);
  MemorySink file;
  write_checkpoint(file, first.model, {}, first.trainer);
  Notes notes;
  read_checkpoint(file.bytes(), second.model, notes, second.trainer);
  EXPECT_EQ(second.trainer.cut(), first.trainer.cut());
  second.steps(data, 2, 2048);
  EXPECT_EQ(second.hash(), want);

  // A checkpoint without a cut is one of an older library, with eight lanes.
  Extra old;
  old.checkpoint =
      R"({"step": 2, "optimizer": "adam", "plateau_best": "inf", "plateau_factor": "0x1p+0", "plateau_bad": 0})";
  auto tensors = first.trainer.state_tensors();
  for (auto& [name, view] : tensors) {
    name = kOptimizerPrefix + name;
    old.tensors.push_back({name, TensorType::f32, {view.shape.d, 1}, view.data});
  }
  MemorySink bytes;
  write_model(bytes, first.model, {}, old);
  Training third(kWide, adam(), 2), fourth(kWide, adam());
  for (Training* t : {&third, &fourth}) {
    read_checkpoint(bytes.bytes(), t->model, notes, t->trainer);
    EXPECT_EQ(t->trainer.cut().lanes(2048), 8);
    t->steps(data, 2, 2048);
  }
  EXPECT_EQ(third.hash(), fourth.hash());
  EXPECT_NE(third.hash(), want) << "another cut gives another order of sums";
}

// Gradients of many lanes of a large model are summed as they come, one per thread, and in lane order, so the bits are
// those of eight threads, where each lane has its own.
constexpr char kLarge[] = R"({"event": 3, "context": 1, "layers": [
  {"type": "affine_coupling", "hidden": [900, 900]}, {"type": "reverse"}]})";

TrainerConfig saving() {
  TrainerConfig c = adam();
  c.memory = Memory::recompute;
  return c;
}

TEST(Lanes, LargeGradientsAreOnePerThread) {
  Data data(1024);
  uint64_t want = 0;
  for (const uint32_t threads : {8u, 1u, 2u, 3u, 5u}) {
    Training run(kLarge, saving(), threads);
    ASSERT_EQ(run.trainer.cut().lanes(1024), 8);
    run.steps(data, 3, 1024);
    if (!want) want = run.hash();
    EXPECT_EQ(run.hash(), want) << threads << " threads";
    const size_t gradient = static_cast<size_t>(run.model.params().trainable_size()) * sizeof(float);
    if (threads > 2) continue;
    EXPECT_LT(run.trainer.bytes(), 8 * gradient) << "everything is less than a gradient for each lane alone";
  }
}

TEST(Lanes, ALaneThatFailsKeepsNobodyWaiting) {
  for (const uint32_t threads : {1u, 2u, 3u}) {
    const Allocator allocator = system_allocator();
    const FlowModel model(allocator, parse_spec(kLarge), 5);
    Executor executor(threads);
    std::vector<char> mirror(static_cast<size_t>(model.params().mirror_size()) * sizeof(float));
    const std::vector<bool> all;
    Lanes lanes(allocator, executor, model, mirror.data(), all, nullptr, Memory::invert);
    for (const int64_t bad : {0, 3, 7, 8}) {
      lanes.fit(8, 1 << 16, false, false);
      lanes.begin_step(8, true);
      const auto step = [&] {
        lanes.each([&](Lane& lane) {
          if (lane.index() == bad) fail(Code::numeric, "lane %d fails", static_cast<int>(bad));
        });
      };
      if (bad < 8)
        EXPECT_ERROR(step(), Code::numeric, "fails");
      else
        EXPECT_NO_THROW(step());
    }
    ASSERT_EQ(lanes.gradients(), 1);
  }
}

TEST(Lanes, ARowThatIsNotFiniteIsNamed) {
  for (const int64_t bad : {0, 200, 1023})
    for (const uint32_t threads : {1u, 2u, 3u}) {
      Data data(1024);
      Training run(kLarge, saving(), threads);
      run.steps(data, 1, 1024);
      const uint64_t before = run.hash();
      double& number = data.x[static_cast<size_t>(3 * bad)];
      number = std::nan("");
      const std::string row = "row " + std::to_string(bad);
      EXPECT_ERROR(run.steps(data, 1, 1024), Code::numeric, row.c_str());
      EXPECT_EQ(run.hash(), before);
      number = 0;
      EXPECT_NO_THROW(run.steps(data, 1, 1024));
    }
}

}  // namespace
}  // namespace libnf::test
