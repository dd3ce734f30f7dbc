// Quantiles of training scores: exact where they are kept, the ends, -infinity, and notes that are not theirs.
#include "src/model/score_quantiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/expect_error.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ScoreQuantiles ramp(int n) {
  std::vector<double> v;
  for (int i = 0; i < n; ++i) v.push_back((i * 7919) % n);
  return ScoreQuantiles::of(v);
}

TEST(ScoreQuantiles, QuantilesAndRanksOfARamp) {
  const ScoreQuantiles q = ramp(1001);
  for (const double p : {0.0, 0.001, 0.005, 0.0123, 0.25, 0.5, 0.999, 1.0}) {
    EXPECT_NEAR(q.quantile(p), 1000 * p, 1e-9) << p;
    EXPECT_NEAR(q.rank(1000 * p), p, 1e-12) << p;
  }
  EXPECT_EQ(q.rank(-5), 0);
  EXPECT_EQ(q.rank(5000), 1);
  EXPECT_EQ(q.rank(-kInfinity), 0);
  EXPECT_TRUE(std::isnan(q.rank(NAN)));
  EXPECT_EQ(q.rows(), 1001);
}

TEST(ScoreQuantiles, FewRowsTiesAndInfinities) {
  EXPECT_EQ(ScoreQuantiles::of({3}).quantile(0.3), 3);
  EXPECT_EQ(ScoreQuantiles::of({3}).rank(3), 0);
  const ScoreQuantiles q = ScoreQuantiles::of({1, -kInfinity, 2, 2});
  EXPECT_EQ(q.quantile(0), -kInfinity);
  EXPECT_EQ(q.quantile(1), 2);
  EXPECT_NEAR(q.quantile(0.5), 1.5, 1e-12);
  EXPECT_GT(q.rank(1.5), 0.3);
  EXPECT_LT(q.rank(2), 0.7);
  EXPECT_ERROR(ScoreQuantiles::of({1, NAN}), Code::numeric, "row 1 is NaN");
  EXPECT_ERROR(ScoreQuantiles::of({kInfinity}), Code::numeric, "+infinity");
  EXPECT_ERROR(ScoreQuantiles::of({}), Code::argument, "no rows");
}

TEST(ScoreQuantiles, NoteOfTheSameParameters) {
  const ScoreQuantiles q = ScoreQuantiles::of({-kInfinity, -3.25, 1.0 / 3, 7});
  const ScoreQuantiles again = ScoreQuantiles::parse(q.written(42), 42);
  for (double p = 0; p <= 1; p += 0.01) EXPECT_EQ(again.quantile(p), q.quantile(p));
  EXPECT_EQ(again.rows(), 4);
  EXPECT_ERROR(ScoreQuantiles::parse(q.written(42), 43), Code::state, "other parameters");
  for (const char* note : {"", "{}", "[]", "{\"hash\":\"000000000000002a\",\"rows\":4,\"scores\":[1,2]}"})
    EXPECT_ERROR(ScoreQuantiles::parse(note, 42), Code::state, "");
}

}  // namespace
}  // namespace libnf
