// Schedules against PyTorch's (golden 12_lr_schedules), combined with warm-up, plateau, and unusual ends.
#include "src/train/schedule.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "src/train/check_fields.h"
#include "src/train/clip.h"
#include "src/train/ema.h"
#include "src/train/optimizer.h"
#include "tests/support/golden.h"

namespace libnf {
namespace {

using test::Golden;

ScheduleConfig make(ScheduleKind kind) {
  ScheduleConfig c;
  c.kind = kind;
  return c;
}

void expect_rates(const ScheduleConfig& c, double base, const test::GoldenTensor& expected) {
  check(c, base);
  std::vector<double> rates;
  for (int64_t t = 0; t < expected.count(); ++t) rates.push_back(learning_rate(c, base, static_cast<uint64_t>(t)));
  test::expect_close(rates, expected, 1e-14);
}

TEST(Schedule, Golden) {
  const Golden g = Golden::load("12_lr_schedules");
  const double base = g.number("base_lr");
  ScheduleConfig c = make(ScheduleKind::cosine);
  c.schedule_steps = static_cast<uint64_t>(g.number("T_max"));
  c.lr_end = g.number("eta_min");
  expect_rates(c, base, g["cosine"]);

  c = make(ScheduleKind::step);
  c.decay_every = static_cast<uint64_t>(g.number("step_size"));
  c.decay = g.number("step_gamma");
  expect_rates(c, base, g["step"]);

  c = make(ScheduleKind::exponential);
  c.decay = g.number("exp_gamma");
  expect_rates(c, base, g["exponential"]);

  c = make(ScheduleKind::constant);
  c.warmup_start = g.number("warmup_start_factor");
  c.warmup_steps = static_cast<uint64_t>(g.number("warmup_iters"));
  expect_rates(c, base, g["linear_warmup"]);
}

TEST(Schedule, WarmUpGoesBeforeTheSchedule) {
  for (ScheduleKind kind :
       {ScheduleKind::cosine, ScheduleKind::step, ScheduleKind::exponential, ScheduleKind::polynomial}) {
    ScheduleConfig plain = make(kind);
    plain.schedule_steps = 40;
    plain.decay_every = 3;
    plain.decay = 0.9;
    ScheduleConfig warm = plain;
    warm.warmup_steps = 5;
    warm.warmup_start = 0.2;
    for (uint64_t t = 0; t < 100; ++t) EXPECT_EQ(learning_rate(warm, 0.1, t + 5), learning_rate(plain, 0.1, t));
    EXPECT_DOUBLE_EQ(learning_rate(warm, 0.1, 0), 0.02);
    EXPECT_DOUBLE_EQ(learning_rate(warm, 0.1, 4), 0.1 * (0.2 + 0.8 * 0.8));
  }
}

TEST(Schedule, ResolvedLengthEndsWithTheRun) {
  for (ScheduleKind kind : {ScheduleKind::cosine, ScheduleKind::polynomial}) {
    ScheduleConfig c = make(kind);
    c.lr_end = 1e-3;
    c.warmup_steps = 100;
    c = resolve(c, 1000);
    EXPECT_EQ(c.schedule_steps, 900u);
    EXPECT_DOUBLE_EQ(learning_rate(c, 0.5, 100), 0.5);
    EXPECT_DOUBLE_EQ(learning_rate(c, 0.5, 1000), 1e-3);
    EXPECT_EQ(resolve(c, 5000).schedule_steps, 900u) << "an explicit length stays";
    EXPECT_EQ(resolve(make(kind), 0).schedule_steps, 1u);
  }
}

TEST(Schedule, PolynomialIsLinearForPowerOneAndStaysAtItsEnd) {
  ScheduleConfig c = make(ScheduleKind::polynomial);
  c.schedule_steps = 10;
  c.lr_end = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(c, 1.1, 4), 0.7);
  EXPECT_EQ(learning_rate(c, 1.1, 10), 0.1);
  EXPECT_EQ(learning_rate(c, 1.1, 1000000), 0.1);
  c.power = 2;
  EXPECT_DOUBLE_EQ(learning_rate(c, 1.1, 4), 0.1 + 0.36);
}

TEST(Schedule, EveryKindIsFiniteAndWithinBaseAtAnyStep) {
  for (int kind = 0; kind <= static_cast<int>(ScheduleKind::plateau); ++kind) {
    const ScheduleConfig c = make(static_cast<ScheduleKind>(kind));  // not resolved on purpose
    for (uint64_t t : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, ~uint64_t{0}}) {
      const double rate = learning_rate(c, 0.1, t);
      EXPECT_TRUE(rate >= 0 && rate <= 0.1) << kind << " " << t << " " << rate;
    }
  }
}

TEST(Schedule, PlateauDecaysAfterPatienceAndStopsAtTheEnd) {
  ScheduleConfig c = make(ScheduleKind::plateau);
  c.patience = 1;
  c.decay = 0.1;
  c.threshold = 0.01;
  c.lr_end = 1e-3;
  check(c, 0.1);
  PlateauState s;
  EXPECT_FALSE(observe(c, s, -5.0));
  EXPECT_FALSE(observe(c, s, -5.005)) << "falls by less than the threshold: first bad one";
  EXPECT_DOUBLE_EQ(learning_rate(c, 0.1, 3, s), 0.1);
  EXPECT_TRUE(observe(c, s, std::nan("")));
  EXPECT_DOUBLE_EQ(learning_rate(c, 0.1, 3, s), 0.01);
  EXPECT_FALSE(observe(c, s, -5.02));
  EXPECT_EQ(s.best, -5.02);
  for (int i = 0; i < 20; ++i) observe(c, s, 0);
  EXPECT_EQ(learning_rate(c, 0.1, 3, s), 1e-3);
  c.warmup_steps = 10;
  EXPECT_EQ(learning_rate(c, 0.1, 0, s), 0) << "the floor does not lift the warm-up";
}

TEST(Schedule, CheckRefusesWhatWouldBeIgnored) {
  ScheduleConfig c;
  c.patience = 3;
  EXPECT_THROW(check(c, 0.1), Error);
  c = make(ScheduleKind::cosine);
  c.lr_end = 0.2;
  EXPECT_THROW(check(c, 0.1), Error);
  EXPECT_NO_THROW(check(c, 0.3));
}

// All of these become keys of one flat set of options.
TEST(Schedule, FieldNamesOfAllConfigurationsAreDistinct) {
  std::set<std::string> names;
  size_t count = 0;
  const auto add = [&](auto config) {
    for (const std::string& name : names_of(config)) names.insert(name), ++count;
  };
  add(OptimizerConfig{});
  add(ScheduleConfig{});
  add(ClipConfig{});
  add(EmaConfig{});
  EXPECT_EQ(names.size(), count);
}

}  // namespace
}  // namespace libnf
