// Every optimizer against PyTorch's trajectories (golden 12_opt_*), and what the trainer relies on: splits, NaN, state.
#include "src/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "src/train/check_fields.h"
#include "tests/support/golden.h"

namespace libnf {
namespace {

using test::Golden;

const std::vector<std::string> kCases = {"adadelta",
                                         "adagrad",
                                         "adagrad_decay",
                                         "adam",
                                         "adam_wd",
                                         "adamax",
                                         "adamax_wd",
                                         "adamw",
                                         "adamw_amsgrad",
                                         "amsgrad",
                                         "radam",
                                         "rmsprop",
                                         "rmsprop_centered_momentum",
                                         "sgd",
                                         "sgd_momentum",
                                         "sgd_momentum_dampening",
                                         "sgd_nesterov_wd"};

void set(OptimizerConfig& c, const std::string& name, Json v) {
  Json all = Json::Object();
  WriteFields write(all);
  c.fields(write);
  ASSERT_NE(all.find(name), nullptr) << name;
  all[name] = std::move(v);
  c = {};
  read_config(all, "optimizer", c);
}

// Every metadata key must be known, so that an option in a new golden file is not silently ignored.
OptimizerConfig config_of(const Golden& g) {
  OptimizerConfig c;
  std::string kind = g.meta("optimizer");
  std::transform(kind.begin(), kind.end(), kind.begin(), [](unsigned char x) { return std::tolower(x); });
  set(c, "optimizer", kind);
  for (const auto& [key, value] : g.metadata()) {
    if (key == "case" || key == "tree" || key == "seed" || key == "source" || key == "steps" || key == "D" ||
        key == "optimizer")
      continue;
    if (key == "betas") {
      set(c, "beta1", g.numbers(key).at(0));
      set(c, "beta2", g.numbers(key).at(1));
    } else if (key == "initial_accumulator_value") {
      set(c, "initial_accumulator", g.number(key));
    } else {
      set(c, key, value == "True" || value == "False" ? Json(g.flag(key)) : Json(g.number(key)));
    }
  }
  check(c);
  return c;
}

template <class T>
struct State {
  State(const OptimizerConfig& config, size_t n) : arrays(state_slots(config), std::vector<T>(n, 0)) {
    for (auto& a : arrays) slots.push_back(a.data());
  }
  std::vector<std::vector<T>> arrays;
  std::vector<T*> slots;
};

class OptimizerGolden : public ::testing::TestWithParam<std::string> {};

// Closed loop: the gradient is computed from our own parameters, so errors of earlier steps stay visible.
TEST_P(OptimizerGolden, TrajectoryF64) {
  const Golden g = Golden::load("12_opt_" + GetParam());
  const OptimizerConfig config = config_of(g);
  std::vector<double> p = g["params"].row(0);
  const int64_t n = static_cast<int64_t>(p.size());
  State<double> state(config, p.size());
  for (int64_t t = 1; t < g["params"].rows(); ++t) {
    std::vector<double> grad(p.size());
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) grad[i] += g["A"].data[i * n + j] * p[j];
      grad[i] += g["c"].data[i] * p[i] * p[i] * p[i] - g["b"].data[i];
    }
    test::expect_close(grad, g["grads"].row(t - 1), test::kGoldenF64, "gradient " + std::to_string(t));
    apply(config, config.lr, t, 1.0, p.data(), grad.data(), state.slots.data(), 0, n);
    ASSERT_TRUE(test::is_close(p, g["params"].row(t), test::kGoldenF64)) << "step " << t;
  }
}

// Open loop, with the gradient passed as half its value; grad_scale must undo it exactly.
TEST_P(OptimizerGolden, TrajectoryF32) {
  const Golden g = Golden::load("12_opt_" + GetParam());
  const OptimizerConfig config = config_of(g);
  const std::vector<double> start = g["params"].row(0);
  std::vector<float> p(start.begin(), start.end());
  const int64_t n = static_cast<int64_t>(p.size());
  State<float> state(config, p.size());
  for (int64_t t = 1; t < g["params"].rows(); ++t) {
    std::vector<float> grad;
    for (double x : g["grads"].row(t - 1)) grad.push_back(static_cast<float>(x / 2));
    apply(config, config.lr, t, 2.0, p.data(), grad.data(), state.slots.data(), 0, n);
    ASSERT_TRUE(test::is_close(p, g["params"].row(t), test::kGoldenF32)) << "step " << t;
  }
}

INSTANTIATE_TEST_SUITE_P(All, OptimizerGolden, ::testing::ValuesIn(kCases), [](const auto& i) { return i.param; });

TEST(Optimizer, EveryGoldenCaseIsTested) {
  std::vector<std::string> names;
  for (const auto& c : kCases) names.push_back("12_opt_" + c);
  EXPECT_EQ(Golden::names("12_opt_"), names);
}

// Returns variants of all kinds: plain, and with each flag and momentum on where it applies.
std::vector<OptimizerConfig> variants() {
  std::vector<OptimizerConfig> out;
  for (size_t k = 0; k <= static_cast<size_t>(OptimizerKind::sgd); ++k) {
    for (int bits = 0; bits < 16; ++bits) {
      OptimizerConfig c;
      c.kind = static_cast<OptimizerKind>(k);
      c.weight_decay = 0.01;
      c.amsgrad = bits & 1;
      c.centered = bits & 2;
      c.nesterov = bits & 4;
      c.momentum = bits & 8 ? 0.9 : 0;
      try {
        check(c);
      } catch (const Error&) {
        continue;
      }
      out.push_back(c);
    }
  }
  return out;
}

template <class T>
std::vector<T> wave(int64_t n, double phase) {
  std::vector<T> v(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) v[i] = static_cast<T>(std::sin(0.37 * static_cast<double>(i) + phase));
  return v;
}

template <class T>
void expect_split_invariant() {
  const int64_t n = 133;
  ASSERT_EQ(variants().size(), 15u);
  for (const OptimizerConfig& c : variants()) {
    for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, 1, 2, 5, 64, 64, 131, n}, {0, 7, 70, n}}) {
      std::vector<T> whole = wave<T>(n, 0), parts = whole;
      State<T> a(c, n), b(c, n);
      for (uint64_t t = 1; t <= 3; ++t) {
        const std::vector<T> grad = wave<T>(n, static_cast<double>(t));
        apply(c, c.lr, t, 0.7, whole.data(), grad.data(), a.slots.data(), 0, n);
        for (size_t i = cuts.size() - 1; i-- > 0;)
          apply(c, c.lr, t, 0.7, parts.data(), grad.data(), b.slots.data(), cuts[i], cuts[i + 1]);
      }
      EXPECT_EQ(whole, parts) << static_cast<int>(c.kind);
      EXPECT_EQ(a.arrays, b.arrays) << static_cast<int>(c.kind);
      EXPECT_NE(whole, wave<T>(n, 0)) << static_cast<int>(c.kind);
    }
  }
}

TEST(Optimizer, SplittingTheRangeChangesNoBitF32) { expect_split_invariant<float>(); }
TEST(Optimizer, SplittingTheRangeChangesNoBitF64) { expect_split_invariant<double>(); }

TEST(Optimizer, TouchesOnlyItsRange) {
  for (const OptimizerConfig& c : variants()) {
    std::vector<float> p = wave<float>(40, 0);
    const std::vector<float> before = p, grad = wave<float>(40, 1);
    State<float> s(c, 40);
    apply<float>(c, c.lr, 1, 1, nullptr, nullptr, nullptr, 0, 0);
    apply<float>(c, c.lr, 1, 1, p.data(), grad.data(), s.slots.data(), 5, 5);
    EXPECT_EQ(p, before);
    apply<float>(c, c.lr, 1, 1, p.data(), grad.data(), s.slots.data(), 3, 24);
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_EQ(p[i] != before[i], i >= 3 && i < 24) << i;
      for (const auto& a : s.arrays) EXPECT_TRUE(a[i] == 0 || (i >= 3 && i < 24)) << i;
    }
  }
}

// The trainer refuses such a gradient. If it gets here anyway, NaN must be visible and must not spread.
TEST(Optimizer, NanMakesExactlyItsParameterNan) {
  for (const OptimizerConfig& c : variants()) {
    for (size_t bad : {size_t{2}, size_t{35}}) {
      std::vector<float> p = wave<float>(37, 0), grad = wave<float>(37, 1);
      grad[bad] = std::numeric_limits<float>::quiet_NaN();
      State<float> s(c, 37);
      for (uint64_t t = 1; t <= 2; ++t) apply(c, c.lr, t, 1.0, p.data(), grad.data(), s.slots.data(), 0, 37);
      for (size_t i = 0; i < p.size(); ++i)
        EXPECT_EQ(std::isnan(p[i]), i == bad) << static_cast<int>(c.kind) << " " << i;
    }
  }
}

TEST(Optimizer, HugeGradientsLeaveFiniteStateAndParameters) {
  for (const OptimizerConfig& c : variants()) {
    if (c.kind == OptimizerKind::sgd) continue;  // sgd does not normalize its step
    std::vector<float> p = wave<float>(20, 0), grad(20, 3e30f);
    State<float> s(c, 20);
    for (uint64_t t = 1; t <= 10; ++t) apply(c, c.lr, t, 1.0, p.data(), grad.data(), s.slots.data(), 0, 20);
    for (float x : p) EXPECT_TRUE(std::isfinite(x)) << static_cast<int>(c.kind);
    for (const auto& a : s.arrays)
      for (float x : a) EXPECT_TRUE(std::isfinite(x)) << static_cast<int>(c.kind);
  }
}

TEST(Optimizer, MomentsNeverStayDenormal) {
  OptimizerConfig c;
  std::vector<float> p(20, 1.0f), grad(20, 0.5f);
  State<float> s(c, 20);
  for (uint64_t t = 1; t <= 1200; ++t) {
    if (t == 2) std::fill(grad.begin(), grad.end(), 0.0f);
    apply(c, c.lr, t, 1.0, p.data(), grad.data(), s.slots.data(), 0, 20);
  }
  EXPECT_EQ(s.arrays[0], std::vector<float>(20, 0.0f));
  EXPECT_GT(s.arrays[1][0], 0.0f);
}

// Bias corrections at late steps must not lose precision or overflow.
TEST(Optimizer, LateStepsAreThoseOfConstantCoefficients) {
  OptimizerConfig c;
  std::vector<double> p(4, 1.0), grad(4, 0.25);
  State<double> s(c, 4);
  for (auto& x : s.arrays[0]) x = 0.25;
  for (auto& x : s.arrays[1]) x = 0.0625;
  apply(c, 0.1, uint64_t{1} << 52, 1.0, p.data(), grad.data(), s.slots.data(), 0, 4);
  test::expect_close(p, std::vector<double>(4, 1.0 - 0.1 * 0.25 / (0.25 + 1e-8)), 1e-14);
}

TEST(Optimizer, ZeroBetasTakeTheSignOfTheGradient) {
  OptimizerConfig c;
  c.beta1 = c.beta2 = 0;
  std::vector<double> p(2, 1.0);
  const std::vector<double> grad = {0.25, -4};
  State<double> s(c, 2);
  for (uint64_t t = 1; t <= 2; ++t) apply(c, 0.1, t, 1.0, p.data(), grad.data(), s.slots.data(), 0, 2);
  test::expect_close(p, std::vector<double>{0.8, 1.2}, 1e-7);
}

TEST(Optimizer, EveryFieldIsCheckedAgainstItsBounds) {
  OptimizerConfig defaults;
  const Json described = describe_fields(defaults);
  for (const Json& f : *described.array()) {
    const std::string name = *f.find("name")->string();
    if (!f.find("max")) continue;
    const double high = *f.find("max")->number();
    for (const double wrong : {high * 2 + 1, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
      OptimizerConfig c;
      const Json j = {{name, wrong}};
      EXPECT_THROW(read_config(j, "optimizer", c), Error) << name << " = " << wrong;
    }
  }
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::spec);
    return e.what();
  }
  return "no error";
}

TEST(Optimizer, ErrorsNameFieldValueAndFix) {
  OptimizerConfig c;
  const auto reading = [](Json j) {
    return message_of([&] {
      OptimizerConfig fresh;
      read_config(j, "options", fresh);
    });
  };
  EXPECT_NE(reading({{"optimizer", "adm"}}).find("options.optimizer: \"adm\" is not one of"), std::string::npos);
  EXPECT_NE(reading({{"beta1", 1.0}}).find("options.beta1: 1"), std::string::npos);
  EXPECT_NE(reading({{"amsgrad", 0.5}}).find("true or false"), std::string::npos);
  EXPECT_NE(reading({{"momentum", 0.9}}).find("0.9 has no effect with \"optimizer\": \"adam\""), std::string::npos);
  c.momentum = 0.9;
  EXPECT_NE(message_of([&] { check(c); }).find("0.9 has no effect with \"optimizer\": \"adam\""), std::string::npos);
  c = {};
  c.kind = OptimizerKind::sgd;
  c.nesterov = true;
  EXPECT_NE(message_of([&] { check(c); }).find("nesterov needs momentum > 0"), std::string::npos);
}

TEST(Optimizer, SlotNamesAreDistinct) {
  for (const OptimizerConfig& c : variants()) {
    std::vector<std::string> names;
    for (int i = 0; i < state_slots(c); ++i) names.push_back(slot_name(c, i));
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
    EXPECT_THROW(slot_name(c, state_slots(c)), Error);
  }
}

}  // namespace
}  // namespace libnf
