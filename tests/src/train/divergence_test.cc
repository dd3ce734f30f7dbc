// The guard against divergence: what it calls diverged, and going back to the best state, the same for any number of threads
// and after a restart.
#include "src/train/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/io/byte_sink.h"
#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"},
  {"type": "affine_coupling", "hidden": [8]}]})";

// Returns the steps, from 1, at which see() reports.
template <class Loss, class Norm>
std::vector<int> reports(int steps, Loss&& loss, Norm&& norm, int64_t patience = 200) {
  Divergence d;
  std::vector<int> at;
  for (int k = 1; k <= steps; ++k)
    if (d.see(loss(k), norm(k), patience)) at.push_back(k);
  return at;
}

TEST(Divergence, ReportsALossThatStaysFarAboveItsBest) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> noise(0, 0.2);
  const auto one = [](int) { return 1.0; };
  const auto falling = [&](int k) { return 5 * std::exp(-k / 500.0) + noise(random); };
  EXPECT_TRUE(reports(5000, falling, one).empty());
  // A spike of 40 steps is none; a plateau far above is reported once.
  EXPECT_TRUE(reports(
                  3000, [&](int k) { return falling(k) + (k > 1000 && k < 1040 ? 50 : 0); }, one)
                  .empty());
  const std::vector<int> at = reports(
      5000, [&](int k) { return falling(k) + (k > 1000 ? 50 : 0); }, one);
  ASSERT_EQ(at.size(), 1u);
  EXPECT_GE(at[0], 1200);
  EXPECT_LE(at[0], 1210);
  // Recovered and diverged again: reported again.
  const auto twice = [&](int k) { return falling(k) + ((k > 1000 && k < 1500) || k > 3000 ? 50 : 0); };
  EXPECT_EQ(reports(5000, twice, one).size(), 2u);
  // Large losses of images differ by many nats without meaning anything.
  EXPECT_TRUE(reports(
                  3000, [&](int k) { return 3000 + 200 * noise(random) + (k > 500 ? 100 : 0); }, one)
                  .empty());
}

TEST(Divergence, ReportsAGradientThatRunsAway) {
  const auto flat = [](int) { return -1.0; };
  EXPECT_TRUE(reports(3000, flat, [](int k) { return 10 * std::exp(-k / 300.0) + 1e-3; }).empty());
  EXPECT_TRUE(reports(3000, flat, [](int k) { return k < 1000 ? 1.0 : 100.0; }).empty())
      << "a hundredfold is no runaway";
  const std::vector<int> at = reports(3000, flat, [](int k) { return k < 1000 ? 1.0 : 1e5; });
  ASSERT_EQ(at.size(), 1u);
  EXPECT_LT(at[0], 1300);
  EXPECT_TRUE(reports(3000, flat, [](int) { return 0.0; }).empty());
}

TrainerConfig guarded(Guard guard) {
  TrainerConfig c = adam(3e-3);
  c.guard.guard = guard;
  c.guard.guard_steps = 60;
  return c;
}

// Steps on data. At step 200 something throws the parameters far off, and the rate is too low to come back from there.
struct Thrown {
  void steps(Training& t, int until) {
    while (static_cast<int>(t.trainer.steps()) < until) {
      if (t.trainer.steps() == 200) {
        t.trainer.set_lr(nullptr, 1e-4);
        for (size_t i = 0; i < t.model.params().slots().size(); ++i) {
          const View v = t.model.params().view(i);
          for (int64_t k = 0; k < v.count(); ++k) v.as<double>()[k] *= 20;
        }
        t.trainer.parameters_changed();
      }
      t.steps(data, 1, 50);
      reported += t.last.diverged;
    }
  }
  Data data{500};
  int reported = 0;
};

TEST(Divergence, GoesBackToTheBestState) {
  for (const Guard guard : {Guard::off, Guard::report, Guard::back}) {
    Thrown run;
    Training t(kSpec, guarded(guard));
    run.steps(t, 199);
    const double good = t.last.loss;
    run.steps(t, 300);
    EXPECT_EQ(run.reported, guard == Guard::off ? 0 : 1);
    EXPECT_EQ(t.last.went_back, guard == Guard::back ? 1 : 0);
    EXPECT_EQ(t.last.loss < good + 1, guard == Guard::back) << good << " " << t.last.loss;
    EXPECT_EQ(t.last.lr, guard == Guard::back ? 0.5e-4 : 1e-4);
  }
}

TEST(Divergence, ReportingChangesNoBits) {
  Data data(300);
  uint64_t want = 0;
  for (const Guard guard : {Guard::off, Guard::report, Guard::back}) {
    Training t(kSpec, guarded(guard));
    t.steps(data, 120, 50);
    EXPECT_EQ(t.last.went_back, 0);
    if (!want) want = t.hash();
    EXPECT_EQ(t.hash(), want);
  }
}

TEST(Divergence, ResumedAnywhereAndOnAnyThreadsTheSameBits) {
  Thrown whole_run;
  Training whole(kSpec, guarded(Guard::back));
  whole_run.steps(whole, 400);
  ASSERT_GE(whole.last.went_back, 1);
  for (const int stop : {1, 50, 200, 201, 240, 262, 290, 350}) {
    SCOPED_TRACE(stop);
    Thrown run;
    Training first(kSpec, guarded(Guard::back), 2);
    run.steps(first, stop);
    MemorySink sink;
    write_checkpoint(sink, first.model, {}, first.trainer);
    Training second(kSpec, guarded(Guard::back), 3);
    Notes notes;
    read_checkpoint(sink.bytes(), second.model, notes, second.trainer);
    run.steps(second, 400);
    EXPECT_EQ(second.hash(), whole.hash());
    EXPECT_EQ(second.last.went_back, whole.last.went_back);
  }
  // A trainer that does not go back reads such a checkpoint too.
  MemorySink sink;
  write_checkpoint(sink, whole.model, {}, whole.trainer);
  Training other(kSpec, guarded(Guard::report));
  Notes notes;
  read_checkpoint(sink.bytes(), other.model, notes, other.trainer);
  EXPECT_EQ(other.hash(), whole.hash());
}

TEST(Divergence, AStepThatIsNotFiniteIsTriedAgainFromTheBestState) {
  Data data(300);
  for (const Guard guard : {Guard::report, Guard::back}) {
    Training t(kSpec, guarded(guard));
    t.steps(data, 60, 50);
    const View v = t.model.params().view(0);
    v.as<double>()[0] = 1e300;  // as a diverged run would leave it
    t.trainer.parameters_changed();
    if (guard == Guard::report) {
      EXPECT_ERROR(t.steps(data, 1, 50), Code::numeric, "was not applied");
      continue;
    }
    t.steps(data, 1, 50);
    EXPECT_TRUE(t.last.diverged);
    EXPECT_EQ(t.last.went_back, 1);
    EXPECT_TRUE(std::isfinite(t.last.loss));
    // A row that is not finite fails from any state: tried once more, then reported.
    data.x[static_cast<size_t>(3 * (61 * 50 % 251))] = NAN;
    EXPECT_ERROR(t.steps(data, 1, 50), Code::numeric, "NaN");
  }
}

}  // namespace
}  // namespace libnf::test
