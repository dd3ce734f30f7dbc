// Objectives with a target: gradients against differences of the loss with the same noise, the path gradient against
// its definition, the same bits for any number of threads and after a restart, targets that fail, the quality of a fit.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "src/model/target_spec.h"
#include "src/train/checkpoint.h"
#include "src/train/start.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kCoupling[] = R"({"event": 2, "dtype": "float64", "base": "diagonal_normal", "layers": [
  {"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [8], "activation": "tanh"}, {"type": "reverse"}]},
  {"type": "elementwise_affine"}]})";
constexpr char kFloat[] = R"({"event": 2, "base": "diagonal_normal", "layers": [
  {"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [24]}, {"type": "reverse"}]},
  {"type": "elementwise_affine"}]})";
constexpr char kInverted[] = R"({"event": 2, "dtype": "float64", "invert": true, "layers": [
  {"type": "masked_autoregressive", "hidden": [8, 8], "activation": "tanh"}, {"type": "reverse"},
  {"type": "masked_autoregressive", "hidden": [8, 8], "activation": "tanh"}]})";
constexpr char kContext[] = R"({"event": 2, "context": 1, "dtype": "float64", "layers": [
  {"type": "affine_coupling", "hidden": [8], "activation": "tanh"}, {"type": "reverse"},
  {"type": "affine_coupling", "hidden": [8], "activation": "tanh"}]})";

// Imitates a host's target: called with all rows at once, from one thread.
class HostTarget final : public Target {
 public:
  using Ask = std::function<void(const View& x, const View& context, const View& log_p, const View& grad)>;
  HostTarget(int64_t event, Ask ask) : Target(event), ask_(std::move(ask)) {}
  bool thread_safe() const override { return false; }
  void evaluate(const View& x, const View& context, const View& log_p, const View& grad) const override {
    ask_(x, context, log_p, grad);
  }

 private:
  Ask ask_;
};

std::shared_ptr<const Target> builtin(const char* spec = "banana") { return parse_target(spec, 2); }
// Returns a target of the library as a host's target.
std::shared_ptr<const Target> hosted(const char* spec = "banana") {
  return std::make_shared<HostTarget>(2, [target = builtin(spec)](auto&... views) { target->evaluate(views...); });
}

constexpr std::string_view reverse_kl = "reverse_kl", symmetric = "symmetric", alpha = "alpha";
constexpr char kPathGradient[] = R"(, "path_gradient": true)";

// `fields` are additional fields of the objective: R"(, "anneal_steps": 4)".
TrainerConfig objective(std::string_view kind, int64_t samples, TrainerConfig c = descent(), std::string fields = "") {
  if (kind == symmetric) fields += R"(, "data_weight": 0.7)";
  c.objective = ObjectiveConfig(R"({"type": ")" + std::string(kind) + R"(", "samples": )" + std::to_string(samples) +
                                fields + "}");
  return c;
}

struct Fit : Training {
  Fit(const char* spec, const TrainerConfig& config, std::shared_ptr<const Target> target, uint32_t threads = 1,
      Collective collective = {})
      : Training(spec, config, threads, collective) {
    // New couplings are the identity, where some gradients are zero.
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal(0, 0.3);
    for (size_t i = 0; i < model.params().slots().size(); ++i) {
      if (!model.params().slots()[i].trainable) continue;
      const View v = model.params().view(i);
      with_dtype(v.dtype, [&]<class T>() {
        for (int64_t k = 0; k < v.count(); ++k) v.as<T>()[k] += static_cast<T>(normal(random));
      });
    }
    trainer.parameters_changed();
    if (target) trainer.set_target(std::move(target));
  }
  StepResult go(const View& x = {}, const View& context = {}, const View& weight = {}) {
    return last = trainer.step(x, context, weight);
  }
  void go(int steps) {
    for (int k = 0; k < steps; ++k) go();
  }
};

// Returns two columns of the data, for the data term of symmetric.
View pairs(Data& d, int64_t n) {
  View v = d.xs(0, n);
  v.shape[1] = 2;
  return v;
}

struct Case {
  const char* name;
  const char* spec;
  std::string_view kind;
  double renyi_alpha;
  bool host;
  Memory memory;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }  // not by its bytes, some of which are padding

class Objectives : public testing::TestWithParam<Case> {};

// With descent(), the parameters after a step show the gradient.
TEST_P(Objectives, GradientIsThatOfTheLoss) {
  const Case& c = GetParam();
  TrainerConfig config = objective(
      c.kind, 70, descent(), c.kind == alpha ? R"(, "renyi_alpha": )" + std::to_string(c.renyi_alpha) : std::string());
  config.memory = c.memory;
  const bool contextual = std::string(c.spec) == kContext;
  Data data(70);
  const View x = c.kind == symmetric ? pairs(data, 70) : View{};
  const View context = contextual ? data.contexts(0, 70) : View{};
  const auto loss_at = [&](size_t slot, int64_t k, double move) {
    Fit f(c.spec, config, c.host ? hosted() : builtin());
    f.model.params().view(slot).as<double>()[k] += move;
    f.trainer.parameters_changed();
    return f.go(x, context).loss;
  };
  Fit fit(c.spec, config, c.host ? hosted() : builtin(), 2);
  std::vector<Values> before;
  for (size_t i = 0; i < fit.model.params().slots().size(); ++i)
    before.push_back(values_of<double>(fit.model.params().view(i)));
  fit.go(x, context);
  int checked = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (!fit.model.params().slots()[i].trainable) continue;
    const Values after = values_of<double>(fit.model.params().view(i));
    for (size_t k = 0; k < after.size(); k += after.size() / 3 + 1) {
      const double gradient = (before[i][k] - after[k]) / 0.1;
      constexpr double kStep = 1e-5;
      const double slope =
          (loss_at(i, static_cast<int64_t>(k), kStep) - loss_at(i, static_cast<int64_t>(k), -kStep)) / (2 * kStep);
      EXPECT_NEAR(gradient, slope, 1e-6 * std::max(1.0, std::abs(slope)))
          << fit.model.params().slots()[i].name << "[" << k << "]";
      checked += std::abs(gradient) > 1e-4;
    }
  }
  EXPECT_GT(checked, 10);
}

INSTANTIATE_TEST_SUITE_P(
    Train, Objectives,
    testing::Values(Case{"reverse_kl", kCoupling, reverse_kl, 0, false, Memory::full},
                    Case{"reverse_kl_host", kCoupling, reverse_kl, 0, true, Memory::full},
                    Case{"reverse_kl_recompute", kCoupling, reverse_kl, 0, false, Memory::recompute},
                    Case{"reverse_kl_host_recompute", kCoupling, reverse_kl, 0, true, Memory::recompute},
                    Case{"reverse_kl_iaf", kInverted, reverse_kl, 0, false, Memory::full},
                    Case{"reverse_kl_context", kContext, reverse_kl, 0, false, Memory::full},
                    Case{"symmetric", kCoupling, symmetric, 0, false, Memory::full},
                    Case{"symmetric_host", kCoupling, symmetric, 0, true, Memory::full},
                    Case{"symmetric_context", kContext, symmetric, 0, true, Memory::full},
                    Case{"alpha_half", kCoupling, alpha, 0.5, false, Memory::full},
                    Case{"alpha_half_host", kCoupling, alpha, 0.5, true, Memory::full},
                    Case{"alpha_0", kInverted, alpha, 0, false, Memory::full},
                    Case{"alpha_1", kCoupling, alpha, 1, false, Memory::full},
                    Case{"alpha_minus_1", kCoupling, alpha, -1, false, Memory::recompute},
                    Case{"alpha_2", kCoupling, alpha, 2, true, Memory::full}),
    [](const auto& info) { return std::string(info.param.name); });

// d/dtheta log q(x(theta)) = path + score. The score is the gradient of log q at fixed rows, which training on the same
// rows as data gives.
TEST(PathGradient, IsTheGradientWithoutTheScore) {
  for (const char* spec : {kCoupling, kInverted})
    for (const bool host : {false, true}) {
      Values rows;
      const auto spy = std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
        rows = values_of<double>(x);
        builtin()->evaluate(x, c, p, g);
      });
      TrainerConfig config = objective(reverse_kl, 90);
      Fit whole(spec, config, spy), start(spec, config, spy);
      const Values p0 = start.params();
      whole.go();
      config = objective(reverse_kl, 90, descent(), kPathGradient);
      Fit path(spec, config, host ? hosted() : builtin(), 2);
      path.go();
      EXPECT_NEAR(path.last.loss, whole.last.loss, 1e-10);
      Fit data(spec, descent(), nullptr);
      data.go(contiguous_view(rows.data(), DType::f64, {90, 2}));
      const Values a = whole.params(), b = path.params(), c = data.params();
      double largest = 0;
      for (size_t i = 0; i < p0.size(); ++i) {
        EXPECT_NEAR((b[i] - p0[i]) / 0.1, (a[i] - p0[i] + c[i] - p0[i]) / 0.1, 1e-8) << i;
        largest = std::max(largest, std::abs(c[i] - p0[i]));
      }
      EXPECT_GT(largest, 1e-3);
    }
}

// At q = p the path gradient is zero for every sample.
TEST(PathGradient, IsZeroWhereTheModelIsTheTarget) {
  constexpr char kShift[] = R"({"event": 2, "dtype": "float64", "layers": [{"type": "elementwise_affine"}]})";
  for (const bool path : {false, true}) {
    const TrainerConfig config = objective(reverse_kl, 64, descent(), path ? kPathGradient : "");
    Training t(kShift, config);
    t.trainer.set_target(parse_target(R"({"type": "banana", "scale": 1, "bend": 0})", 2));
    const StepResult r = t.trainer.step({}, {}, {});
    EXPECT_NEAR(r.loss, 0, 1e-12);
    EXPECT_NEAR(r.loss_error, 0, 1e-12);
    if (path)
      EXPECT_LT(r.grad_norm, 1e-12);
    else
      EXPECT_GT(r.grad_norm, 1e-2);
  }
}

TEST(Variational, ThreadsAndTheKindOfTargetDoNotChangeBits) {
  for (const std::string_view kind : {reverse_kl, symmetric, alpha})
    for (const char* spec : {kFloat, kInverted})
      for (const int64_t samples : {1, 50, 700}) {
        Data data(300);
        const View x = kind == symmetric ? pairs(data, 300) : View{};
        for (const bool path : {false, true}) {
          if (path && kind == alpha) continue;
          uint64_t want = 0;
          for (const bool host : {false, true})
            for (const uint32_t threads : {1u, 2u, 8u}) {
              const TrainerConfig config = objective(kind, samples, adam(), path ? kPathGradient : "");
              Fit f(spec, config, host ? hosted("u1") : builtin("u1"), threads);
              for (int k = 0; k < 3; ++k) f.go(x);
              if (!want) want = f.hash();
              EXPECT_EQ(f.hash(), want) << threads << " threads, host " << host << ", samples " << samples;
            }
        }
      }
}

// The weight of log p~ rises from 0.01 to 1.
TEST(Variational, AnnealingRaisesTheWeightOfTheTarget) {
  TrainerConfig config = objective(reverse_kl, 64, descent(), R"(, "anneal_steps": 4)");
  config.optimizer.lr = 0;
  for (const bool host : {false, true}) {
    Fit f(kCoupling, config, host ? hosted() : builtin());
    double at_first = 0;
    for (int k = 0; k < 6; ++k) {
      // The rows of step k alone, with their log q and log p~.
      Values log_p;
      const auto spy = std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
        builtin()->evaluate(x, c, p, g);
        log_p = values_of<double>(p);
      });
      TrainerConfig plain = objective(reverse_kl, 64, descent());
      plain.optimizer.lr = 0;
      Fit other(kCoupling, plain, spy);
      Trainer::State state = other.trainer.state();
      state.step = static_cast<uint64_t>(k);
      other.trainer.restore_state(state);
      other.go();
      double mean = 0;
      for (const double v : log_p) mean += v / 64;
      const double share = std::min(1.0, 0.01 + k / 4.0);
      EXPECT_NEAR(f.go().loss, other.last.loss + (1 - share) * mean, 1e-9) << k;
      if (k == 0) at_first = f.last.grad_norm / other.last.grad_norm;
      if (k > 4) {
        EXPECT_NEAR(f.last.grad_norm, other.last.grad_norm, 1e-9);
      }
    }
    EXPECT_LT(at_first, 0.9);
  }
}

TEST(Variational, StepsDrawFreshRowsOfTheirSeed) {
  std::vector<Values> seen;
  const auto spy = std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
    seen.push_back(values_of<double>(x));
    builtin()->evaluate(x, c, p, g);
  });
  for (const uint64_t seed : {1, 1, 2}) {
    TrainerConfig config = objective(reverse_kl, 40, adam(1e-9));
    config.seed = static_cast<int64_t>(seed);
    Fit(kCoupling, config, spy).go(2);
  }
  ASSERT_EQ(seen.size(), 6u);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_EQ(seen[1], seen[3]);
  EXPECT_NE(seen[0], seen[4]);
  for (size_t i = 0; i < seen[0].size(); ++i) EXPECT_NE(seen[0][i], seen[1][i]);
}

TEST(Variational, ResumesWithTheSameBits) {
  const TrainerConfig config = objective(reverse_kl, 64, adam());
  struct Sink final : ByteSink {
    std::vector<std::byte> bytes;
    void write(const void* data, size_t n) override {
      const auto* p = static_cast<const std::byte*>(data);
      bytes.insert(bytes.end(), p, p + n);
    }
  } sink;
  Fit once(kFloat, config, builtin()), again(kFloat, config, builtin());
  once.go(5);
  write_checkpoint(sink, once.model, {}, once.trainer);
  once.go(4);
  Notes notes;
  read_checkpoint(sink.bytes, again.model, notes, again.trainer);
  again.go(4);
  EXPECT_EQ(again.hash(), once.hash());
  EXPECT_EQ(again.last.loss, once.last.loss);
}

// The loss and its standard error against the mean and spread of its rows.
TEST(Variational, LossAndItsStandardError) {
  Values log_p;
  const auto spy = std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
    builtin()->evaluate(x, c, p, g);
    log_p = values_of<double>(p);
  });
  constexpr char kIdentity[] = R"({"event": 2, "dtype": "float64", "layers": []})";
  Values rows;
  TrainerConfig config = objective(reverse_kl, 500);
  Training t(kIdentity, config);
  t.trainer.set_target(std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
    rows = values_of<double>(x);
    spy->evaluate(x, c, p, g);
  }));
  const StepResult r = t.trainer.step({}, {}, {});
  double sum = 0, squares = 0;
  for (size_t i = 0; i < 500; ++i) {
    const double log_q = -0.5 * (rows[2 * i] * rows[2 * i] + rows[2 * i + 1] * rows[2 * i + 1]) - 1.8378770664093454836;
    sum += log_q - log_p[i];
    squares += (log_q - log_p[i]) * (log_q - log_p[i]);
  }
  EXPECT_NEAR(r.loss, sum / 500, 1e-12);
  EXPECT_NEAR(r.loss_error, std::sqrt((squares / 500 - sum / 500 * sum / 500) / 499), 1e-9);
}

TEST(Variational, TwoRanksAreOneWithDifferentRows) {
  for (const std::string_view kind : {reverse_kl, alpha}) {
    Meeting meeting(2);
    Values rows[2];
    uint64_t hashes[2];
    double losses[2];
    std::vector<std::thread> threads;
    for (int r = 0; r < 2; ++r)
      threads.emplace_back([&, r] {
        const auto spy =
            std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
              rows[r] = values_of<double>(x);
              builtin()->evaluate(x, c, p, g);
            });
        Fit f(kCoupling, objective(kind, 32), spy, 1, meeting.rank(r));
        f.go();
        hashes[r] = f.hash();
        losses[r] = f.last.loss;
      });
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(hashes[0], hashes[1]);
    EXPECT_EQ(losses[0], losses[1]);
    EXPECT_NE(rows[0], rows[1]);
  }
}

TEST(Variational, ATargetThatIsNotFiniteIsNamedAndNothingIsApplied) {
  struct Wrong {
    double log_p, grad;
    const char* says;
  };
  const double nan = kUnknown, inf = std::numeric_limits<double>::infinity();
  for (const Wrong& w :
       {Wrong{nan, 0, "log density of sample 33 is nan"}, Wrong{inf, 0, "log density of sample 33 is inf"},
        Wrong{-inf, 0, "log density of sample 33 is -inf"}, Wrong{0, nan, "gradient of sample 33"},
        Wrong{0, inf, "gradient of sample 33"}})
    for (const std::string_view kind : {reverse_kl, symmetric, alpha})
      for (const bool path : {false, true}) {
        if (kind == alpha && (path || w.log_p == -inf)) continue;
        bool wrong = false;
        const auto target =
            std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
              builtin()->evaluate(x, c, p, g);
              if (!wrong) return;
              if (w.log_p != 0) p.as<double>()[33] = w.log_p;
              if (w.grad != 0) g.as<double>()[67] = w.grad;
            });
        Data data(64);
        const View x = kind == symmetric ? pairs(data, 64) : View{};
        const TrainerConfig config = objective(kind, 64, adam(), path ? kPathGradient : "");
        Fit f(kCoupling, config, target, 2), clean(kCoupling, config, builtin());
        f.go(x);
        wrong = true;
        const uint64_t before = f.hash();
        EXPECT_ERROR(f.go(x), Code::numeric, w.says);
        EXPECT_EQ(f.hash(), before);
        EXPECT_EQ(f.trainer.steps(), 1u);
        wrong = false;
        f.go(x);
        clean.go(x);
        clean.go(x);
        EXPECT_EQ(f.hash(), clean.hash()) << "as if the failed step had not happened";
      }
}

// A sample with density 0 has weight 0 in the Renyi bound of order below 1.
TEST(Variational, AlphaTakesRowsWithoutDensity) {
  const auto target = std::make_shared<HostTarget>(2, [](const View& x, const View& c, const View& p, const View& g) {
    builtin()->evaluate(x, c, p, g);
    p.as<double>()[3] = -std::numeric_limits<double>::infinity();
    g.as<double>()[6] = kUnknown;
  });
  Fit f(kCoupling, objective(alpha, 64), target);
  f.go(3);
  EXPECT_TRUE(std::isfinite(f.last.loss));
}

TEST(Variational, ATargetThatThrowsLeavesTheTrainerUsable) {
  int calls = 0;
  const auto target = std::make_shared<HostTarget>(2, [&](const View& x, const View& c, const View& p, const View& g) {
    if (++calls == 2) fail(Code::cancelled, "enough");
    builtin()->evaluate(x, c, p, g);
  });
  Fit f(kCoupling, objective(reverse_kl, 64, adam()), target, 2),
      clean(kCoupling, objective(reverse_kl, 64, adam()), builtin());
  f.go();
  EXPECT_ERROR(f.go(), Code::cancelled, "enough");
  f.go();
  clean.go(2);
  EXPECT_EQ(f.hash(), clean.hash());
}

TEST(Variational, SettingsThatCannotWork) {
  EXPECT_ERROR(Training(kCoupling, objective(reverse_kl, 8)).trainer.step({}, {}, {}), Code::state,
               "nf_trainer_set_target");
  EXPECT_ERROR(objective(alpha, 8, descent(), kPathGradient), Code::spec, "path_gradient");
  EXPECT_ERROR(ObjectiveConfig("revers_kl"), Code::spec, "did you mean \"reverse_kl\"?");
  constexpr char kBatchNorm[] = R"({"event": 2, "layers": [{"type": "batch_norm"}]})";
  EXPECT_ERROR(Training(kBatchNorm, objective(symmetric, 8)), Code::unsupported, "batch_norm");
}

// A fit without data keeps layers as they are, and they stay that way when data come later.
TEST(Variational, LayersThatWaitForDataKeepTheirValues) {
  constexpr char kNorms[] =
      R"({"event": 2, "layers": [{"type": "actnorm"}, {"type": "batch_norm"}, {"type": "elementwise_affine"}]})";
  Training t(kNorms, objective(reverse_kl, 200, adam()));
  t.trainer.set_target(builtin(R"({"type": "banana", "scale": 1, "bend": 0})"));
  EXPECT_TRUE(waits_for_data(t.model));
  t.trainer.step({}, {}, {});
  EXPECT_FALSE(waits_for_data(t.model));
}

TEST(Variational, ReachesTheTarget) {
  for (const bool path : {false, true}) {
    const TrainerConfig config = objective(reverse_kl, 256, adam(5e-3), path ? kPathGradient : "");
    Training t(kFloat, config, 2);
    t.trainer.set_target(builtin());
    double loss = 0;
    for (int k = 0; k < 1000; ++k) loss = 0.98 * loss + 0.02 * t.trainer.step({}, {}, {}).loss;
    EXPECT_LT(loss, 0.05) << "log Z of the banana is 0";
    EXPECT_GT(loss, -0.02);
  }
}

}  // namespace
}  // namespace libnf::test
