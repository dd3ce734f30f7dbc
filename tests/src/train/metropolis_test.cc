// Markov chains: known moments of targets, also from distant starts; acceptance; determinism; bad targets.
#include "src/train/metropolis.h"

#include <gtest/gtest.h>

#include "src/model/flow_model.h"
#include "src/model/target_spec.h"
#include "tests/support/expect_error.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

struct Moments {
  double mean[2] = {0, 0}, variance[2] = {0, 0};
};

Moments moments(const Values& x) {
  Moments m;
  const double n = static_cast<double>(x.size()) / 2;
  for (size_t i = 0; i < x.size(); ++i) m.mean[i % 2] += x[i] / n;
  for (size_t i = 0; i < x.size(); ++i) m.variance[i % 2] += (x[i] - m.mean[i % 2]) * (x[i] - m.mean[i % 2]) / n;
  return m;
}

struct Drawn {
  Values x;
  MetropolisSummary summary;
};

Drawn run(const Target& target, const MetropolisConfig& config, int64_t draws, int64_t chains,
          Session* proposal = nullptr, const View& start = {}) {
  Drawn r;
  r.x.resize(static_cast<size_t>(draws * chains * target.event));
  r.summary = metropolis(system_allocator(), target, proposal, config, start, {},
                         contiguous_view(r.x.data(), DType::f64, {draws, chains, target.event}));
  return r;
}

TEST(Metropolis, RandomWalkHasTheMomentsOfTheTarget) {
  const auto target = parse_target(R"({"type": "banana", "scale": 1, "bend": 0.5})", 2);
  const Drawn r = run(*target, {1.0, 500, 5, 3}, 2000, 20);
  const Moments m = moments(r.x);
  EXPECT_NEAR(m.mean[0], 0, 0.06);
  EXPECT_NEAR(m.variance[0], 1, 0.08);
  EXPECT_NEAR(m.mean[1], 0.5, 0.06);
  EXPECT_NEAR(m.variance[1], 1 + 0.25 * 2, 0.15);
  EXPECT_EQ(r.summary.steps, 500u + 5 * 2000);
  EXPECT_GT(r.summary.acceptance, 0.3);
  EXPECT_LT(r.summary.acceptance, 0.8);
}

TEST(Metropolis, IndependenceSamplerCorrectsTheModel) {
  Executor executor(1);
  FlowModel model(system_allocator(), parse_spec(R"({"event": 2, "layers": []})"), 1);
  Session session(system_allocator(), executor, model, NonFinite::propagate);
  const auto target = parse_target(R"({"type": "banana", "scale": 0.7, "bend": 0.5})", 2);
  const Drawn r = run(*target, {1.0, 100, 2, 3}, 3000, 10, &session);
  const Moments m = moments(r.x);
  EXPECT_NEAR(m.mean[0], 0, 0.04);
  EXPECT_NEAR(m.variance[0], 0.49, 0.04);
  EXPECT_NEAR(m.mean[1], 0.245, 0.05);
  // If the model is the target, every proposal is accepted.
  const Drawn exact =
      run(*parse_target(R"({"type": "banana", "scale": 1, "bend": 0})", 2), {1.0, 0, 1, 3}, 200, 7, &session);
  EXPECT_EQ(exact.summary.acceptance, 1);
  // The same from a given start.
  Values far = {3, 3};
  const Drawn moved = run(*target, {1.0, 200, 1, 3}, 1, 1, &session, contiguous_view(far.data(), DType::f64, {1, 2}));
  EXPECT_NE(moved.x, far);
}

TEST(Metropolis, IsAFunctionOfTheSeed) {
  const auto target = parse_target("u1", 2);
  const MetropolisConfig config{0.5, 10, 2, 9};
  MetropolisConfig other = config;
  other.seed = 10;
  const Drawn a = run(*target, config, 50, 3), b = run(*target, config, 50, 3), c = run(*target, other, 50, 3);
  EXPECT_EQ(a.x, b.x);
  EXPECT_NE(a.x, c.x);
  // Burn-in and thinning select from the same states.
  const Drawn all = run(*target, {0.5, 0, 1, 9}, 112, 3);
  for (size_t k = 0; k < 50; ++k)
    for (size_t j = 0; j < 6; ++j) EXPECT_EQ(a.x[6 * k + j], all.x[6 * (10 + 2 * k + 1) + j]);
}

TEST(Metropolis, StaysInsideAHardWall) {
  const auto target = parse_target(R"({"type": "u2", "cut": 1, "wall": 0})", 2);
  Values start(2 * 4, 0.0);
  const Drawn r = run(*target, {2.0, 0, 1, 1}, 500, 4, nullptr, contiguous_view(start.data(), DType::f64, {4, 2}));
  for (size_t i = 0; i < r.x.size(); i += 2) ASSERT_LE(std::abs(r.x[i]), 1);
  start[4] = 3;
  EXPECT_ERROR(run(*target, {2.0, 0, 1, 1}, 500, 4, nullptr, contiguous_view(start.data(), DType::f64, {4, 2})),
               Code::numeric, "chain 2 starts where the log density is -inf");
}

TEST(Metropolis, NothingToDrawAndTargetsThatAreWrong) {
  const auto target = parse_target("u1", 2);
  EXPECT_EQ(run(*target, {}, 0, 3).summary.steps, 0u);
  EXPECT_EQ(run(*target, {}, 3, 0).summary.steps, 0u);
  struct Nan final : Target {
    Nan() : Target(2) {}
    void evaluate(const View& x, const View&, const View& log_p, const View&) const override {
      for (int64_t i = 0; i < x.shape[0]; ++i) log_p.as<double>()[i] = calls++ < 20 ? 0 : kUnknown;
    }
    mutable int calls = 0;
  };
  EXPECT_ERROR(run(Nan(), {}, 50, 2), Code::numeric, "at step 10 of chain 0");
}

}  // namespace
}  // namespace libnf::test
