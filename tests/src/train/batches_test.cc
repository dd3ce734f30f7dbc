// Mini-batches: every epoch is a permutation of the rows, a batch is a pure function of (seed, step), rows of data,
// context and weight stay together, and the last batch of an epoch is short.
#include "src/train/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/support/expect_error.h"

namespace libnf {
namespace {

// Row r of x is {r, 100 + r}, its context is {200 + r}, its weight 300 + r.
struct Data {
  explicit Data(int64_t n) : rows(n) {
    for (int64_t r = 0; r < n; ++r) {
      const auto v = static_cast<float>(r);
      x.insert(x.end(), {v, 100 + v});
      context.push_back(200 + static_cast<double>(r));
      weight.push_back(300 + v);
    }
  }
  View xs() { return contiguous_view(x.data(), DType::f32, {rows, 2}); }
  View contexts() { return contiguous_view(context.data(), DType::f64, {rows, 1}); }
  View weights() { return contiguous_view(weight.data(), DType::f32, {rows}); }
  Batches batches(int64_t batch, Order order, uint64_t seed = 1, const Part& part = {}) {
    return {system_allocator(), {xs(), contexts(), weights(), {}}, batch, order, seed, part};
  }
  int64_t rows;
  std::vector<float> x, weight;
  std::vector<double> context;
};

// Returns the rows of a batch after checking that x, context and weight belong together.
std::vector<int64_t> rows_of(Batches& b, uint64_t step) {
  b.gather(step);
  const int64_t n = b.x().shape[0];
  EXPECT_EQ(b.context().shape, (Dims{n, 1}));
  EXPECT_EQ(b.weight().shape, (Dims{n}));
  EXPECT_EQ(b.x().dtype, DType::f32);
  EXPECT_EQ(b.context().dtype, DType::f64);
  std::vector<int64_t> rows;
  for (int64_t r = 0; r < n; ++r) {
    const float v = b.x().as<float>()[2 * r];
    EXPECT_EQ(b.x().as<float>()[2 * r + 1], 100 + v);
    EXPECT_EQ(b.context().as<double>()[r], 200 + static_cast<double>(v));
    EXPECT_EQ(b.weight().as<float>()[r], 300 + v);
    rows.push_back(static_cast<int64_t>(v));
  }
  return rows;
}

std::vector<int64_t> epoch(Batches& b, uint64_t number) {
  std::vector<int64_t> all;
  for (uint64_t k = 0; k < b.per_epoch(); ++k) {
    const auto rows = rows_of(b, number * b.per_epoch() + k);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

TEST(Batches, EveryEpochIsAPermutation) {
  for (const int64_t n : {1, 2, 7, 64, 100, 1001})
    for (const int64_t batch : {1, 3, 64, 5000}) {
      Data data(n);
      Batches b = data.batches(batch, Order::shuffle);
      EXPECT_EQ(b.per_epoch(), static_cast<uint64_t>((n + batch - 1) / batch));
      std::vector<int64_t> sorted(static_cast<size_t>(n));
      std::iota(sorted.begin(), sorted.end(), 0);
      std::vector<std::vector<int64_t>> seen;
      for (const uint64_t e : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{1} << 40}) {
        auto rows = epoch(b, e);
        for (const auto& other : seen) EXPECT_FALSE(n >= 64 && rows == other) << "epochs repeat";
        seen.push_back(rows);
        std::sort(rows.begin(), rows.end());
        EXPECT_EQ(rows, sorted) << n << " rows, batch " << batch << ", epoch " << e;
      }
    }
}

TEST(Batches, AreAFunctionOfSeedAndStep) {
  Data data(100);
  for (const Order order : {Order::shuffle, Order::replacement, Order::sequential, Order::blocks}) {
    Batches a = data.batches(32, order), b = data.batches(32, order), other = data.batches(32, order, 2);
    std::vector<std::vector<int64_t>> rows;
    for (uint64_t k = 0; k < 10; ++k) rows.push_back(rows_of(a, k));
    for (uint64_t k = 10; k-- > 0;) EXPECT_EQ(rows_of(b, k), rows[k]) << "out of order";
    EXPECT_EQ(rows_of(other, 0) == rows[0], order == Order::sequential);
  }
}

TEST(Batches, BlocksArePermutationsThatTouchFewPlaces) {
  for (const int64_t n : {1, 7, 160, 1000, 5003})
    for (const int64_t block : {1, 10, 64}) {
      Data data(n);
      Batches b = data.batches(50, Order::blocks, 1, {.block = block});
      std::vector<std::vector<int64_t>> seen;
      for (const uint64_t e : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
        const auto rows = epoch(b, e);
        for (const auto& other : seen) EXPECT_FALSE(n >= 160 && rows == other) << "epochs repeat";
        seen.push_back(rows);
        // A window draws from kWindow blocks, or one more if it includes a short block at the end.
        const auto window = static_cast<size_t>(kWindow) * static_cast<size_t>(block);
        for (size_t at = 0; at < rows.size(); at += window) {
          std::vector<int64_t> places;
          for (size_t i = at; i < std::min(at + window, rows.size()); ++i) places.push_back(rows[i] / block);
          EXPECT_FALSE(places.size() > 100 && std::is_sorted(places.begin(), places.end())) << "rows stay in order";
          std::sort(places.begin(), places.end());
          const auto distinct = std::unique(places.begin(), places.end()) - places.begin();
          EXPECT_LE(distinct, static_cast<int64_t>(kWindow)) << n << " rows in blocks of " << block;
        }
        auto sorted = rows;
        std::sort(sorted.begin(), sorted.end());
        for (int64_t r = 0; r < n; ++r) ASSERT_EQ(sorted[static_cast<size_t>(r)], r);
      }
    }
}

// Which rows are mirrored is a function of seed, epoch and row: not of the batch, and with replacement of the step.
TEST(Batches, MirroredRowsDependOnEpochAndRow) {
  constexpr int64_t kRows = 200;
  std::vector<float> x;
  for (int64_t r = 0; r < kRows; ++r) x.insert(x.end(), {static_cast<float>(r), 1000, 2000});
  const View rows = contiguous_view(x.data(), DType::f32, {kRows, 3});
  const auto mirrored = [&](int64_t batch, Order order, uint64_t seed, uint64_t epoch) {
    Batches b(system_allocator(), {rows, {}, {}, {}}, batch, order, seed, Selection(kRows), 8, 1, Dims{1, 3, 1});
    std::vector<int64_t> found;
    for (uint64_t k = 0; k < b.per_epoch(); ++k) {
      b.gather(epoch * b.per_epoch() + k);
      for (int64_t r = 0; r < b.x().shape[0]; ++r) {
        const float *got = b.x().as<float>() + 3 * r, number = static_cast<float>(b.numbers()[r]);
        EXPECT_EQ(got[1], 1000);
        const bool turned = got[0] == 2000;
        EXPECT_EQ(got[0], turned ? 2000 : number);
        EXPECT_EQ(got[2], turned ? number : 2000);
        if (turned) found.push_back(b.numbers()[r]);
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  };
  const auto first = mirrored(32, Order::shuffle, 1, 0);
  EXPECT_NEAR(static_cast<double>(first.size()), 100, 35);
  for (const Order order : {Order::shuffle, Order::sequential, Order::blocks})
    for (const int64_t batch : {1, 7, 500}) EXPECT_EQ(mirrored(batch, order, 1, 0), first);
  EXPECT_NE(mirrored(32, Order::shuffle, 1, 1), first);
  EXPECT_NE(mirrored(32, Order::shuffle, 2, 0), first);
  const auto drawn = mirrored(50, Order::replacement, 1, 0);
  EXPECT_NEAR(static_cast<double>(drawn.size()), 100, 35);
  EXPECT_EQ(mirrored(50, Order::replacement, 1, 0), drawn);
}

TEST(Batches, PartsShareNothingAndCoverAll) {
  Data data(1003);
  for (const Order order : {Order::sequential, Order::shuffle, Order::blocks}) {
    std::vector<int64_t> all;
    std::vector<std::vector<int64_t>> parts;
    const double border[] = {0, 0.7, 0.9, 1};
    for (int i = 0; i < 3; ++i) {
      Batches b = data.batches(32, order, 1, {.block = 8, .begin = border[i], .end = border[i + 1], .seed = 5});
      auto rows = epoch(b, 0);
      EXPECT_EQ(static_cast<int64_t>(rows.size()), b.rows());
      EXPECT_NEAR(static_cast<double>(rows.size()), (border[i + 1] - border[i]) * 1003, 8);
      EXPECT_EQ(order == Order::sequential, std::is_sorted(rows.begin(), rows.end()));
      all.insert(all.end(), rows.begin(), rows.end());
      std::sort(rows.begin(), rows.end());
      parts.push_back(rows);
    }
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), 1003u);
    for (int64_t r = 0; r < 1003; ++r) ASSERT_EQ(all[static_cast<size_t>(r)], r);
    Batches other = data.batches(32, order, 1, {.block = 8, .begin = 0.9, .end = 1, .seed = 6});
    auto rows = epoch(other, 0);
    std::sort(rows.begin(), rows.end());
    EXPECT_NE(rows, parts[2]) << "the seed of the parts";
  }
  EXPECT_ERROR(data.batches(32, Order::shuffle, 1, {.end = 0.3}), Code::shape, "smaller blocks");
}

TEST(Batches, TheLastOfAnEpochIsShort) {
  Data data(100);
  for (const Order order : {Order::shuffle, Order::sequential}) {
    Batches b = data.batches(32, order);
    EXPECT_EQ(b.per_epoch(), 4u);
    EXPECT_EQ(rows_of(b, 3).size(), 4u);
    EXPECT_EQ(rows_of(b, 4).size(), 32u) << "a short batch must not stay";
  }
  Batches b = data.batches(32, Order::sequential);
  EXPECT_EQ(rows_of(b, 3), (std::vector<int64_t>{96, 97, 98, 99}));
  EXPECT_EQ(rows_of(b, 5)[0], 32);
}

TEST(Batches, ReplacementDrawsEveryRowAlike) {
  Data data(10);
  Batches b = data.batches(1000, Order::replacement);
  std::vector<int64_t> counts(10);
  for (uint64_t k = 0; k < 4; ++k) {
    const auto rows = rows_of(b, k);
    EXPECT_EQ(rows.size(), 1000u);
    for (int64_t r : rows) {
      ASSERT_TRUE(r >= 0 && r < 10);
      ++counts[static_cast<size_t>(r)];
    }
  }
  for (int64_t c : counts) EXPECT_NEAR(static_cast<double>(c), 400, 5 * 19);  // five standard deviations of a binomial
}

// One context for all rows, and views with all kinds of strides: spaced columns, reversed rows, one row repeated.
TEST(Batches, ReadsAnyStrides) {
  Data data(10);
  float one[] = {5, 6};
  Batches shared(system_allocator(), {data.xs(), contiguous_view(one, DType::f32, {1, 2}), {}, {}}, 4,
                 Order::sequential, 0);
  shared.gather(2);
  EXPECT_EQ(shared.x().shape, (Dims{2, 2}));
  EXPECT_EQ(shared.context().shape, (Dims{1, 2}));
  EXPECT_EQ(shared.context().as<float>()[1], 6);
  EXPECT_EQ(shared.weight().data, nullptr);

  View x = data.xs();
  x.data = data.x.data() + 19;
  x.stride[0] = -2;
  x.stride[1] = -1;
  View repeated = contiguous_view(one, DType::f32, {10, 2});
  repeated.stride[0] = 0;
  Batches b(system_allocator(), {x, repeated, {}, {}}, 4, Order::sequential, 0);
  for (const uint64_t step : {0, 2}) {
    b.gather(step);
    ASSERT_EQ(b.context().shape, (Dims{b.x().shape[0], 2}));
    for (int64_t r = 0; r < b.x().shape[0]; ++r) {
      const auto row = static_cast<float>(9 - static_cast<int64_t>(step) * 4 - r);
      EXPECT_EQ(b.x().as<float>()[2 * r], 100 + row);
      EXPECT_EQ(b.x().as<float>()[2 * r + 1], row);
      EXPECT_EQ(b.context().as<float>()[2 * r + 1], 6);
    }
  }
}

TEST(Batches, NoRowsIsAnError) {
  EXPECT_ERROR(
      Batches(system_allocator(), {contiguous_view(nullptr, DType::f32, {0, 2}), {}, {}, {}}, 4, Order::shuffle, 0),
      Code::shape, "no rows");
}

}  // namespace
}  // namespace libnf
