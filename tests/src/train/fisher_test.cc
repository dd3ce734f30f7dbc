// Score matching: parameter gradients of every layer and base against differences of the loss, the loss against its
// definition, a loss of 0 where the model is the target, and the quality of a fit.
#include <gtest/gtest.h>

#include <thread>

#include "src/model/target_spec.h"
#include "src/train/start.h"
#include "tests/src/train/training.h"
#include "tests/support/brief.h"
#include "tests/support/expect_error.h"
#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

constexpr int64_t kRows = 5;

TrainerConfig fisher(TrainerConfig c = descent()) {
  c.objective = ObjectiveConfig("fisher");
  return c;
}

View rows_view(Values& v, int64_t columns) {
  return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / columns, columns});
}

// A model with a trainer whose learning rate is 0 unless configured otherwise.
struct Scored {
  Scored(ModelSpec spec, uint64_t seed, Domain domain, TrainerConfig config = fisher(), bool labels = false)
      : executor(1), model(system_allocator(), std::move(spec), seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal(0, 0.3);
    for (size_t i = 0; i < model.params().slots().size(); ++i) {
      if (!model.params().slots()[i].trainable) continue;
      const View v = model.params().view(i);
      for (int64_t k = 0; k < v.count(); ++k) v.as<double>()[k] += normal(random);
    }
    keep_initial(model);  // layers that would be initialized from data keep their random values
    rows = draw_mild(domain, kRows, model.columns(), model.context(), random);
    for (double& c : rows.context)
      if (labels) c = c > 0;
    scores = draw_normal(kRows * model.columns(), random);
    config.optimizer.lr = 0.1;
    trainer = std::make_unique<Trainer>(system_allocator(), executor, model, config, Collective{});
    config.optimizer.lr = 0;
    still = std::make_unique<Trainer>(system_allocator(), executor, model, config, Collective{});
  }
  double step(Trainer& t) {
    t.parameters_changed();
    const View context = model.context() ? rows_view(rows.context, model.context()) : View{};
    return t.step(rows_view(rows.x, model.columns()), context, View{}, rows_view(scores, model.columns())).loss;
  }
  double loss() { return step(*still); }

  Executor executor;
  FlowModel model;
  Rows2 rows;
  Values scores;
  std::unique_ptr<Trainer> trainer, still;
};

// Kinks within a step make differences wrong, so smaller steps are tried before a gradient fails.
void check_gradients(Scored& s, int64_t most = 12) {
  std::vector<Values> before, gradient;
  const auto& slots = s.model.params().slots();
  for (size_t i = 0; i < slots.size(); ++i) before.push_back(values_of<double>(s.model.params().view(i)));
  const double size = std::max(1.0, std::abs(s.step(*s.trainer)));
  for (size_t i = 0; i < slots.size(); ++i) {
    const View v = s.model.params().view(i);
    gradient.push_back(values_of<double>(v));
    for (size_t k = 0; k < before[i].size(); ++k) {
      gradient[i][k] = (before[i][k] - gradient[i][k]) / 0.1;
      v.as<double>()[k] = before[i][k];
    }
  }
  std::mt19937_64 random(3);
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].trainable) continue;
    const auto count = static_cast<int64_t>(before[i].size());
    for (int64_t e = 0; e < std::min(count, most); ++e) {
      const auto k =
          static_cast<size_t>(count <= most ? e : static_cast<int64_t>(random() % static_cast<uint64_t>(count)));
      double& p = s.model.params().view(i).as<double>()[k];
      double difference = 0, bound = 0;
      bool agrees = false;
      for (double h = 1e-3; h > 5e-7 && !agrees; h /= 10) {
        const auto at = [&](double move) {
          p = before[i][k] + move;
          return s.loss();
        };
        difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
        p = before[i][k];
        bound = 1e-6 * std::max(1.0, std::abs(difference)) + 1e-14 * size / h;
        agrees = std::abs(difference - gradient[i][k]) <= bound;
      }
      ASSERT_TRUE(agrees) << slots[i].name << " " << k << ": gradient " << gradient[i][k] << ", difference "
                          << difference;
    }
  }
}

class FisherLayer : public LayerSuite {};

TEST_P(FisherLayer, GradientAgreesWithDifferences) {
  const std::string name = kind().name;
  int passed = 0;
  std::string refusal;
  for (uint64_t seed = 1; seed <= 4; ++seed)
    for (const bool inverted : {false, true}) {
      const std::string spec = random_spec(kind(), seed, some_event(2 * seed), seed == 3 ? 2 : 0);
      if (inverted && !takes_inversion(spec)) continue;
      SCOPED_TRACE(describe(spec, inverted));
      try {
        Scored s(variant(spec, DType::f64, inverted), seed, domain(inverted));
        check_gradients(s);
        ++passed;
      } catch (const Error& e) {  // numeric: a random slope so steep that rows leave the domain
        ASSERT_TRUE(e.code() == Code::unsupported || e.code() == Code::numeric) << e.what();
        refusal = e.what();
      }
      if (HasFatalFailure()) return;
    }
  if (draws(kind())) return;  // rows of levels have no score
  if (name == "batch_norm")
    EXPECT_NE(refusal.find("objective \"fisher\" does not train layers that couple rows"), std::string::npos);
  else
    EXPECT_GE(passed, 4) << refusal;
}

NF_EVERY_LAYER(FisherLayer);

// Other bases have their own scores and trainable parameters.
TEST(Fisher, GradientOfEveryBase) {
  int passed = 0;
  std::string refused;
  for (const BaseKind* base : Registry<BaseKind>::all()) {
    const std::string spec = std::string(R"({"event": 2, "context": 1, "dtype": "float64", "base": ")") + base->name +
                             R"(", "layers": [{"type": "affine_coupling", "hidden": [6], "activation": "tanh"}]})";
    SCOPED_TRACE(spec);
    try {
      Scored s(parse_spec(spec), 4, Domain::unit, fisher(), base->name == std::string("class_normal"));
      check_gradients(s);
      ++passed;
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), Code::unsupported) << e.what();
      refused += std::string(base->name) + " ";
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(passed, 6) << "refused: " << refused;
}

constexpr char kFlow[] = R"({"event": 2, "context": 1, "dtype": "float64", "layers": [{"repeat": 2, "layers": [
  {"type": "affine_coupling", "hidden": [8], "activation": "tanh"}, {"type": "reverse"}]},
  {"type": "elementwise_affine"}]})";

TEST(Fisher, GradientsOfWeightedRowsAndOfRecomputedLayers) {
  for (const Memory memory : {Memory::full, Memory::recompute}) {
    TrainerConfig config = fisher();
    config.memory = memory;
    Scored s(parse_spec(kFlow), 7, Domain::real, config);
    check_gradients(s);
  }
}

// x = a z + b with a normal base: z = (x - b) / a, and the pulled-back score is a g.
TEST(Fisher, LossIsItsDefinition) {
  Scored s(parse_spec(R"({"event": 2, "dtype": "float64", "layers": [{"type": "elementwise_affine"}]})"), 5,
           Domain::real);
  const Values scale = values_of<double>(s.model.params().view(0)), shift = values_of<double>(s.model.params().view(1));
  ASSERT_EQ(scale.size(), 2u);
  double sum = 0;
  for (size_t r = 0; r < kRows; ++r)
    for (size_t j = 0; j < 2; ++j) {
      const double a = std::exp(-scale[j]), z = (s.rows.x[2 * r + j] * std::exp(scale[j])) + shift[j];
      const double residual = z + a * s.scores[2 * r + j];
      sum += residual * residual;
    }
  EXPECT_NEAR(s.loss(), sum / kRows, 1e-12) << s.model.params().slots()[0].name;
}

std::shared_ptr<const Target> target(const char* spec, int64_t columns) { return parse_target(spec, columns); }

// Imitates a host's target: called from one thread, with all rows at once.
class HostTarget final : public Target {
 public:
  explicit HostTarget(std::shared_ptr<const Target> inner) : Target(inner->event), inner_(std::move(inner)) {}
  bool thread_safe() const override { return false; }
  void evaluate(const View& x, const View& context, const View& log_p, const View& grad) const override {
    ++calls;
    inner_->evaluate(x, context, log_p, grad);
    if (wrong >= 0) grad.as<double>()[wrong] = kUnknown;
  }
  mutable int calls = 0;
  int64_t wrong = -1;

 private:
  std::shared_ptr<const Target> inner_;
};

constexpr char kNormalTarget[] = R"({"type": "banana", "scale": 1, "bend": 0})";

TEST(Fisher, IsZeroWhereTheModelIsTheTarget) {
  constexpr char kIdentity[] = R"({"event": 2, "dtype": "float64", "layers": [
    {"type": "elementwise_affine"}, {"type": "reverse"}]})";
  Training t(kIdentity, fisher());
  t.trainer.set_target(target(kNormalTarget, 2));
  Data data(64);
  View x = data.xs();
  x.shape[1] = 2;
  const StepResult r = t.trainer.step(x, {}, {});
  EXPECT_NEAR(r.loss, 0, 1e-20);
  EXPECT_LT(r.grad_norm, 1e-10);
}

TEST(Fisher, ThreadsAndTheKindOfTargetDoNotChangeBits) {
  Data data(300);
  View x = data.xs();
  x.shape[1] = 2;
  uint64_t want = 0;
  for (const bool host : {false, true})
    for (const uint32_t threads : {1u, 2u, 5u}) {
      Training t(kFlow, fisher(adam()), threads);
      const auto banana = target("banana", 2);
      const auto asked = std::make_shared<HostTarget>(banana);
      t.trainer.set_target(host ? std::shared_ptr<const Target>(asked) : banana);
      for (int k = 0; k < 5; ++k) t.trainer.step(x, data.contexts(), {});
      if (!want) want = t.hash();
      EXPECT_EQ(t.hash(), want) << host << " " << threads;
      EXPECT_EQ(asked->calls, host ? 5 : 0);
    }
}

TEST(Fisher, WhatCannotWorkIsRefused) {
  constexpr char kBatchNorm[] = R"({"event": 2, "layers": [{"type": "batch_norm"}]})";
  EXPECT_ERROR(Training(kBatchNorm, fisher()), Code::unsupported, "batch_norm");
  Data data(8);
  View x = data.xs();
  x.shape[1] = 2;
  Training t(kFlow, fisher());
  EXPECT_ERROR(t.trainer.step(x, data.contexts(), {}), Code::state, "nf_trainer_set_target");
  const auto host = std::make_shared<HostTarget>(target("banana", 2));
  host->wrong = 11;
  t.trainer.set_target(host);
  const uint64_t before = t.hash();
  EXPECT_ERROR(t.trainer.step(x, data.contexts(), {}), Code::numeric,
               "the score of row 5 is not finite; step 1 was not applied");
  data.x[3] = NAN;
  host->wrong = -1;
  EXPECT_ERROR(t.trainer.step(x, data.contexts(), {}), Code::numeric,
               "row 1 of x holds NaN or infinity (1 such row); step 1 was not applied");
  EXPECT_EQ(t.hash(), before);
}

// Trains on rows of the target with their scores: the flow approaches the density, and the loss approaches 0.
double fitted(const char* spec, const char* of, int steps, const std::function<void(double*, std::mt19937_64&)>& draw,
              double* log_prob_error) {
  const int64_t n = 2000;
  std::mt19937_64 random(9);
  Values x(2 * n);
  for (int64_t r = 0; r < n; ++r) draw(&x[static_cast<size_t>(2 * r)], random);
  TrainerConfig config = fisher(adam(3e-3));
  config.clip.max_norm = 10;
  Training t(spec, config, 2);
  const auto p = target(of, 2);
  t.trainer.set_target(p);
  double loss = 0;
  for (int k = 0; k < steps; ++k) {
    Values batch(&x[static_cast<size_t>(2 * 200 * (k % 10))], &x[static_cast<size_t>(2 * 200 * (k % 10))] + 400);
    loss = t.trainer.step(rows_view(batch, 2), {}, {}).loss;
  }
  // log q - log p over the rows is constant when q = p. Both integrate to 1 here, so it is 0.
  Values log_p(n), slope(2 * n);
  p->evaluate(rows_view(x, 2), {}, contiguous_view(log_p.data(), DType::f64, {n}), rows_view(slope, 2));
  Tape tape(system_allocator(), DType::f64);
  tape.recording = false;
  std::vector<Node> nodes(t.model.params().slots().size());
  t.model.params().bind(nodes.data(), nullptr, nullptr);
  Var lq = t.model.log_prob({tape, nodes.data()}, tape.input(rows_view(x, 2), false), nullptr);
  double error = 0;
  for (int64_t r = 0; r < n; ++r) error += std::abs(lq->out.as<double>()[r] - log_p[static_cast<size_t>(r)]);
  *log_prob_error = error / static_cast<double>(n);
  return loss;
}

TEST(Fisher, ReachesAGaussian) {
  constexpr char kSpec[] = R"({"event": 2, "dtype": "float64", "base": "diagonal_normal", "layers": [
    {"type": "lu_linear"}, {"type": "elementwise_affine"}]})";
  double error = 0;
  const double loss = fitted(
      kSpec, R"({"type": "banana", "scale": 2, "bend": 0})", 1500,
      [](double* x, std::mt19937_64& random) {
        std::normal_distribution<double> normal;
        x[0] = 2 * normal(random);
        x[1] = normal(random);
      },
      &error);
  EXPECT_LT(loss, 1e-6);
  EXPECT_LT(error, 1e-3);
}

TEST(Fisher, ReachesTheFunnel) {
  constexpr char kSpec[] = R"({"event": 2, "dtype": "float64", "layers": [{"repeat": 4, "layers": [
    {"type": "affine_coupling", "hidden": [24, 24], "activation": "tanh"}, {"type": "reverse"}]},
    {"type": "elementwise_affine"}]})";
  double error = 0;
  // Under sanitizers a few steps are taken, for what they touch; they cannot reach the target.
  const bool few = brief();
  const double loss = fitted(
      kSpec, R"({"type": "funnel", "scale": 1})", few ? 50 : 1500,
      [](double* x, std::mt19937_64& random) {
        std::normal_distribution<double> normal;
        x[0] = normal(random);
        x[1] = std::exp(0.5 * x[0]) * normal(random);
      },
      &error);
  EXPECT_LT(loss, few ? 2 : 0.05);
  EXPECT_LT(error, few ? 2 : 0.05);
}

}  // namespace
}  // namespace libnf::test
