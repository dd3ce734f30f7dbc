// Base distributions at their edges: extreme and non-finite z, invalid labels, specs that must be refused, threads,
// files, and a training that uses the context.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/io/byte_sink.h"
#include "src/model/model_file.h"
#include "src/model/session.h"
#include "src/train/trainer.h"
#include "tests/src/base/base_case.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

template <class T>
class BaseEdges : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BaseEdges, Types);

// Densities decrease toward the tails and are never NaN there; NaN in z gives NaN.
TYPED_TEST(BaseEdges, ExtremeRowsHaveDefinedDensities) {
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<TypeParam> f(base_spec(b, dtype_of<TypeParam>, 1));
    f.randomize(2, 0.4);
    const Values one = draw_context(b, 1, 3);
    const auto at = [&](double z) { return f.log_prob({1, {z}, one})[0]; };
    const bool heavy = std::string(b.json).find("student_t") != std::string::npos ||
                       std::string(b.json).find("logistic") != std::string::npos ||
                       std::string(b.json).find("laplace") != std::string::npos;
    constexpr double kHuge = sizeof(TypeParam) == 4 ? 1e30 : 1e300;
    for (const double sign : {-1.0, 1.0}) {
      const double far = at(sign * kHuge);
      EXPECT_FALSE(std::isnan(far)) << b.json;
      EXPECT_TRUE(!heavy || std::isfinite(far)) << b.json;
      EXPECT_LE(far, at(sign * 100) + 1e-9) << b.json;
      EXPECT_EQ(at(sign * INFINITY), -INFINITY) << b.json;
    }
    EXPECT_TRUE(std::isfinite(at(0.1)) || !b.learned) << b.json;
    EXPECT_TRUE(std::isfinite(at(std::numeric_limits<TypeParam>::denorm_min())) || !b.learned) << b.json;
    EXPECT_TRUE(std::isnan(at(NAN))) << b.json;
  }
}

// Learned degrees of freedom can become extreme.
TYPED_TEST(BaseEdges, ExtremeDegreesOfFreedom) {
  FlowCase<TypeParam> f(base_spec({.json = "\"student_t\""}, dtype_of<TypeParam>, 1));
  TypeParam* log_dof = f.param(static_cast<size_t>(f.model().params().find("base.log_dof")));
  *log_dof = 60;  // nearly normal
  for (const double z : {0.0, 1.5, -3.0})
    EXPECT_NEAR(f.log_prob({1, {z}, {}})[0], -0.5 * z * z - 0.5 * std::log(2 * M_PI), 1e-6);
  for (const double l : {-1e30, -100.0, 100.0, 1e30}) {
    *log_dof = static_cast<TypeParam>(l);
    EXPECT_TRUE(std::isfinite(f.log_prob({1, {0.7}, {}})[0])) << l;
  }
  *log_dof = NAN;
  EXPECT_TRUE(std::isnan(f.log_prob({1, {0.7}, {}})[0]));
}

View rows_of(Values& v, int64_t cols) {
  return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols});
}
View column_of(Values& v) { return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size())}); }

TEST(BaseEdges, BadLabelsAreNamed) {
  for (const BaseSetup& b : kBaseSetups) {
    if (b.labels == BaseSetup::none) continue;
    FlowCase<double> f(base_spec(b, DType::f64, 2));
    Executor e(2);
    Session strict(system_allocator(), e, f.model(), NonFinite::error);
    Session lax(system_allocator(), e, f.model(), NonFinite::propagate);
    Values x(400, 0.5), c = draw_context(b, 200, 1), out(200);
    strict.log_prob(rows_of(x, 2), rows_of(c, b.context), column_of(out));
    for (const double bad : {-1.0, 0.5, 3.0, 1e30, double{INFINITY}, double{NAN}}) {
      Values wrong = c;
      const size_t row = static_cast<size_t>(150 * b.context);
      if (b.labels == BaseSetup::one_hot) wrong[row] = wrong[row + 1] = wrong[row + 2] = 1;
      wrong[row + 1] = bad;
      const char* what = !std::isfinite(bad)            ? "the context"
                         : b.labels == BaseSetup::index ? "the label"
                                                        : "is not a single 1";
      EXPECT_ERROR(strict.log_prob(rows_of(x, 2), rows_of(wrong, b.context), column_of(out)), Code::numeric, "row 150");
      EXPECT_ERROR(strict.log_prob(rows_of(x, 2), rows_of(wrong, b.context), column_of(out)), Code::numeric, what);
      EXPECT_ERROR(strict.sample({1, 0}, rows_of(wrong, b.context), rows_of(x, 2), View{}), Code::numeric, what);
      lax.log_prob(rows_of(x, 2), rows_of(wrong, b.context), column_of(out));
      for (size_t r = 0; r < 200; ++r) EXPECT_EQ(std::isnan(out[r]), r == 150);
    }
  }
}

TEST(BaseEdges, OutsideABoxIsAnErrorOrMinusInfinity) {
  FlowCase<double> f(base_spec({.json = "\"uniform\""}, DType::f64, 2));
  Executor e(1);
  Values x = {0.5, 0.5, 0.5, 1.5}, out(2);
  Session lax(system_allocator(), e, f.model(), NonFinite::propagate);
  lax.log_prob(rows_of(x, 2), View{}, column_of(out));
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], -INFINITY);
  Session strict(system_allocator(), e, f.model(), NonFinite::error);
  EXPECT_ERROR(strict.log_prob(rows_of(x, 2), View{}, column_of(out)), Code::numeric,
               "row 1 is not finite; first at the base density");
}

TEST(BaseEdges, ThreadsDoNotChangeBits) {
  constexpr int64_t n = 300;
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<double> f(base_spec(b, DType::f64, 3));
    f.randomize(2, 0.4);
    Values c = draw_context(b, n, 4), want(3 * n), want_lp(n), got(3 * n), got_lp(n);
    const View context = b.context ? rows_of(c, b.context) : View{};
    for (const uint32_t threads : {1u, 4u}) {
      Executor e(threads);
      Session s(system_allocator(), e, f.model(), NonFinite::propagate);
      s.sample({9, 5}, context, rows_of(threads == 1 ? want : got, 3), column_of(threads == 1 ? want_lp : got_lp));
    }
    EXPECT_TRUE(same_bits(got, want) && same_bits(got_lp, want_lp)) << b.json;
    const Values lp = f.log_prob({n, want, c});
    EXPECT_TRUE(same_bits(lp, want_lp)) << b.json;
  }
}

TEST(BaseEdges, FilesKeepEverything) {
  for (const BaseSetup& b : kBaseSetups) {
    FlowCase<float> f(base_spec(b, DType::f32, 3));
    f.randomize(2, 0.4);
    MemorySink file;
    write_model(file, f.model(), {});
    LoadedModel loaded = read_model(system_allocator(), file.bytes());
    EXPECT_EQ(loaded.model->canonical(), f.model().canonical());
    FlowCase<float> g(std::move(loaded.model));
    std::mt19937_64 random(3);
    const Rows2 in{20, draw_normal(60, random), draw_context(b, 20, 5)};
    EXPECT_TRUE(same_bits(g.log_prob(in), f.log_prob(in))) << b.json;
    EXPECT_TRUE(same_bits(sample_base(g, 1, 0, 20, in.context), sample_base(f, 1, 0, 20, in.context))) << b.json;
  }
}

TEST(BaseEdges, WrongSpecsAreRefused) {
  const auto build = [](const char* json, int64_t context) {
    FlowModel(system_allocator(), base_spec({.json = json, .context = context}, DType::f32, 3), 1);
  };
  EXPECT_ERROR(build(R"({"type": "gaussian_mixture", "components": 0})", 0), Code::spec,
               "spec.base.components: 0 is not an integer in [1, ");
  EXPECT_ERROR(build(R"({"type": "laplace", "parameters": "context"})", 0), Code::spec, "needs a model with a context");
  EXPECT_ERROR(build(R"({"type": "class_normal"})", 0), Code::spec, "spec.base.column");
  EXPECT_ERROR(build(R"({"type": "class_normal", "classes": 3, "labels": "one_hot"})", 2), Code::spec,
               "spec.base.column");
  EXPECT_ERROR(build(R"({"type": "uniform", "low": [0, 0, 2], "high": [1]})", 0), Code::spec, "above its lower one");
  EXPECT_ERROR(build(R"({"type": "uniform", "low": [0, 0]})", 0), Code::spec, "spec.base.low");
  EXPECT_ERROR(build(R"({"type": "uniform", "low": []})", 0), Code::spec, "spec.base.low");
  EXPECT_ERROR(build(R"({"type": "uniform", "low": "0"})", 0), Code::spec, "is not a list of numbers");
  EXPECT_ERROR(build(R"({"type": "uniform", "low": 2})", 0), Code::spec, "above its lower one");  // the same as [2]
  EXPECT_ERROR(build(R"({"type": "student_t", "dof": 0})", 0), Code::spec, "spec.base.dof");
}

// z = 2 c + 0.1 e: only a base that reads the context can reach log(10) - 1.42 = 0.88.
TEST(BaseEdges, ContextIsLearned) {
  FlowModel model(
      system_allocator(),
      base_spec({.json = R"({"type": "diagonal_normal", "parameters": "context", "hidden": []})", .context = 1},
                DType::f64, 1),
      1);
  TrainerConfig config;
  config.optimizer.lr = 0.03;
  Executor e(2);
  Trainer trainer(system_allocator(), e, model, config, {});
  std::mt19937_64 random(5);
  double loss = 0;
  for (int step = 0; step < 400; ++step) {
    Values c = draw_normal(64, random), x = draw_normal(64, random);
    for (size_t r = 0; r < 64; ++r) x[r] = 2 * c[r] + 0.1 * x[r];
    loss = trainer.step(rows_of(x, 1), rows_of(c, 1), View{}).loss;
  }
  EXPECT_LT(loss, -0.6);
}

}  // namespace
}  // namespace libnf::test
