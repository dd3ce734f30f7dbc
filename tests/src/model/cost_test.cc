// Costs are counted on shapes: their values, what they do not depend on, and the resulting blocks.
#include "src/model/cost.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/model/flow_model.h"
#include "src/model/model.h"
#include "src/model/session.h"

namespace libnf::test {
namespace {

FlowModel model(const std::string& spec, uint64_t seed = 1) {
  return FlowModel(system_allocator(), parse_spec(spec), seed);
}

// Dense layers 2 -> 100 -> 50 -> 4 for every row; products dominate the count.
TEST(RowCost, CountsTheProductsOfARow) {
  const int64_t products = 2 * 100 + 100 * 50 + 50 * 4;
  const RowCost one = model(R"({"event": 4, "layers": [{"type": "affine_coupling", "hidden": [100, 50]}]})").cost();
  EXPECT_GE(one.work, products);
  EXPECT_LE(one.work, products + 600);
  EXPECT_GE(one.kept, 100 + 50 + 4);
  EXPECT_LE(one.kept, 100 + 50 + 50);
  const RowCost three =
      model(R"({"event": 4, "layers": [{"type": "affine_coupling", "hidden": [100, 50], "repeat": 3}]})").cost();
  EXPECT_NEAR(static_cast<double>(three.work), 3.0 * static_cast<double>(one.work), 60);
}

TEST(RowCost, DoesNotDependOnSeedOrDtype) {
  for (const char* layer :
       {R"({"type": "affine_coupling", "hidden": [8]})", R"({"type": "masked_autoregressive", "hidden": [16]})",
        R"({"type": "lu_linear"})", R"({"type": "planar"})", R"({"type": "sylvester"})",
        R"({"type": "spline_autoregressive", "hidden": [8]})"}) {
    const auto cost = [&](const char* rest, uint64_t seed) {
      return model(std::string(R"({"event": 4, "layers": [)") + layer + "]" + rest + "}", seed).cost();
    };
    const RowCost a = cost("", 1), b = cost("", 2), c = cost(R"(, "dtype": "float64")", 1);
    EXPECT_GT(a.work, 0) << layer;
    EXPECT_EQ(a.work, b.work) << layer;
    EXPECT_EQ(a.work, c.work) << layer;
    EXPECT_EQ(a.kept, c.kept) << layer;
  }
}

// A few rows leave layers in the arena that many rows would rewind at once: what was measured must suffice for both.
TEST(Memory, MeasuredForABlockSufficesForFewerRows) {
  for (const char* type : {"actnorm", "planar", "affine_coupling"}) {
    const FlowModel m = model(std::string(R"({"event": 8, "layers": [{"type": ")") + type + R"(", "repeat": 12}]})");
    std::vector<Node> params(m.params().slots().size());
    m.params().bind(params.data(), nullptr, nullptr);
    std::vector<float> x(400 * 8, 0.5f);
    const auto take = [&](Tape& t, int64_t rows) {
      t.recording = false;
      m.trace({t, params.data()}, t.input(contiguous_view(x.data(), DType::f32, {rows, 8}), false), nullptr, false, {});
      return t.arena().high_water();
    };
    for (int64_t most = 20; most <= 400; most += 20) {
      Tape measuring(system_allocator(), DType::f32);
      measuring.measuring = true;
      const size_t bytes = take(measuring, most);
      for (int64_t rows = 1; rows <= most; rows += 1 + rows / 8) {
        Tape reserved(system_allocator(), DType::f32, bytes);
        EXPECT_LE(take(reserved, rows), bytes) << type << ", " << rows << " of " << most;
      }
    }
  }
}

// The inverse of an autoregressive layer costs one pass of its net and is counted as one.
TEST(RowCost, OfAnAutoregressiveInverse) {
  const char* chain = R"("layers": [{"type": "masked_autoregressive", "hidden": [64, 64]}]})";
  const RowCost there = model(std::string(R"({"event": 8, )") + chain).cost();
  const RowCost back = model(std::string(R"({"event": 8, "invert": true, )") + chain).cost();
  EXPECT_NEAR(static_cast<double>(back.work), static_cast<double>(there.work), 0.25 * static_cast<double>(there.work));
}

TEST(BlockRows, FollowWidthAndMemory) {
  const FlowModel narrow = model(R"({"event": 2, "layers": [{"type": "affine_coupling", "hidden": [16]}]})");
  const FlowModel wide = model(R"({"event": 2, "layers": [{"type": "affine_coupling", "hidden": [129]}]})");
  EXPECT_EQ(narrow.block_rows(), 256);
  EXPECT_EQ(model(R"({"event": 2, "layers": [{"type": "affine_coupling", "hidden": [128]}]})").block_rows(), 64);
  EXPECT_EQ(wide.block_rows(), 128);
  EXPECT_EQ(block_rows(wide.params(), int64_t{1} << 15, {}), 32);
  EXPECT_EQ(block_rows(wide.params(), 2, {1, int64_t{1} << 22}), 4);
  EXPECT_EQ(block_rows(wide.params(), 2, {1, int64_t{1} << 40}), 1);
}

// The blocks of the shipped models must not change, because their bits depend on them.
TEST(BlockRows, OfShippedSpecsFollowWidthAlone) {
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(NF_SPEC_DIR)) {
    if (file.path().extension() != ".json") continue;
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf();
    const auto m = make_model(system_allocator(), parse_spec(text.str()), 1);
    if (m->event().rank == 3) continue;  // convolutions: blocks of a few images
    EXPECT_EQ(m->block_rows(), block_rows(m->params(), m->columns(), {})) << file.path();
    ++count;
  }
  EXPECT_GT(count, 10);
}

TEST(ScoringRows, ASmallCallOfACostlyModelIsSharedByThreads) {
  const RowCost costly{int64_t{1} << 24, 1}, cheap{1000, 1};
  EXPECT_EQ(scoring_rows(costly, 64, 16, 4), 4);
  EXPECT_EQ(scoring_rows(costly, 64, 3, 8), 1);
  EXPECT_EQ(scoring_rows(costly, 2, 16, 4), 2) << "never more than a block";
  EXPECT_EQ(scoring_rows(cheap, 64, 16, 4), 64) << "too little to share";
  EXPECT_EQ(scoring_rows(cheap, 256, 100'000, 4), 256);
}

TEST(ScoringRows, BitsStayTheSame) {
  const FlowModel m0 =
      model(R"({"event": 6, "layers": [{"type": "affine_coupling", "hidden": [512, 512]}, {"type": "reverse"},
               {"type": "masked_autoregressive", "hidden": [512]}]})");
  FlowModel& m = const_cast<FlowModel&>(m0);
  std::vector<float> x(50 * 6), want(50), got(50);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  Executor alone(1), many(7);
  Session one(system_allocator(), alone, m, NonFinite::error), seven(system_allocator(), many, m, NonFinite::error);
  for (const int64_t n : {1, 2, 7, 16, 50}) {
    ASSERT_LT(scoring_rows(m.cost(), m.block_rows(), n, 7), n > 7 ? n : 8);
    one.log_prob(contiguous_view(x.data(), DType::f32, {n, 6}), {}, contiguous_view(want.data(), DType::f32, {n}));
    seven.log_prob(contiguous_view(x.data(), DType::f32, {n, 6}), {}, contiguous_view(got.data(), DType::f32, {n}));
    EXPECT_EQ(std::vector<float>(want.begin(), want.begin() + n), std::vector<float>(got.begin(), got.begin() + n));
  }
}

}  // namespace
}  // namespace libnf::test
