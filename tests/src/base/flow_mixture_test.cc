// The base "flow_mixture": its density is the mean of those of its members as models of their own, training fits each
// member or the mixture, and layers that a member cannot have are refused. The other tests of bases have it in their
// table: mass 1, samples, gradients, files.
#include <gtest/gtest.h>

#include <cmath>

#include "src/train/trainer.h"
#include "tests/src/base/base_case.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kLayers[] =
    R"([{"repeat": 2, "layers": [{"type": "masked_autoregressive", "order": "random", "hidden": [6]},
  {"type": "elementwise_affine"}]}, {"type": "spline", "bins": 4}])";

std::string mixture(const std::string& fit, int members = 3) {
  return R"({"type": "flow_mixture", "members": )" + std::to_string(members) + R"(, "fit": ")" + fit +
         R"(", "base": "student_t", "layers": )" + kLayers + "}";
}

ModelSpec spec_of(const std::string& base, int64_t event = 3, const std::string& layers = "[]") {
  return parse_spec(R"({"dtype": "float64", "event": )" + std::to_string(event) + R"(, "layers": )" + layers +
                    R"(, "base": )" + base + "}");
}

// A model with one member, whose parameters are those of member k: its density is that of the member. Orders of columns
// that are random differ between members, so there is none.
Values log_prob_of_member(FlowCase<double>& f, size_t k, const std::string& one, const Rows2& in) {
  FlowCase<double> g(spec_of(one));
  const auto& slots = g.model().params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::string name = "base." + std::to_string(k) + slots[i].name.substr(std::string("base.0").size());
    const int64_t from = f.model().params().find(name);
    EXPECT_GE(from, 0) << name;
    std::copy_n(f.param(static_cast<size_t>(from)), slots[i].shape.count(), g.param(i));
  }
  return g.log_prob(in);
}

std::string without_random_order(std::string json) {
  const std::string random = R"("order": "random", )";
  for (size_t at; (at = json.find(random)) != std::string::npos;) json.erase(at, random.size());
  return json;
}

Rows2 some_rows(int64_t n, int64_t event = 3) {
  std::mt19937_64 random(3);
  return {n, draw_normal(n * event, random), {}};
}

TEST(FlowMixture, IsTheMeanOfItsMembersDensities) {
  const std::string three = without_random_order(mixture("each")), one = without_random_order(mixture("each", 1));
  FlowCase<double> f(spec_of(three));
  f.randomize(2, 0.4);
  const Rows2 in = some_rows(50);
  const Values got = f.log_prob(in);
  std::vector<Values> members;
  for (size_t k = 0; k < 3; ++k) members.push_back(log_prob_of_member(f, k, one, in));
  for (size_t r = 0; r < got.size(); ++r) {
    const double want = std::log((std::exp(members[0][r]) + std::exp(members[1][r]) + std::exp(members[2][r])) / 3);
    EXPECT_NEAR(got[r], want, 1e-12 * std::max(1.0, std::abs(want)));
    EXPECT_GT(std::abs(members[0][r] - members[1][r]), 1e-3);
  }
}

TEST(FlowMixture, MembersStartApartWithOrdersOfTheirOwn) {
  FlowCase<double> f(spec_of(mixture("each"), 8));
  const auto& slots = f.model().params().slots();
  const auto tensor = [&](int k) {
    const int64_t i = f.model().params().find("base." + std::to_string(k) + ".layers.0.net.hidden.0.weight");
    EXPECT_GE(i, 0);
    const auto at = static_cast<size_t>(std::max<int64_t>(0, i));
    return Values(f.param(at), f.param(at) + slots[at].shape.count());
  };
  EXPECT_NE(tensor(0), tensor(1));
  // With equal parameters only the orders differ.
  f.fill_params(0.3);
  const Rows2 in = some_rows(5, 8);
  FlowCase<double> one(spec_of(mixture("each", 1), 8));
  one.fill_params(0.3);
  EXPECT_FALSE(same(f.log_prob(in), one.log_prob(in), 1e-6));
}

View rows_of(Values& v, int64_t cols) {
  return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols});
}

double first_loss(const std::string& base, Rows2 in, const std::string& layers = "[]") {
  FlowCase<double> f(spec_of(base, 3, layers));
  f.randomize(2, 0.4);
  Executor e(2);
  TrainerConfig config;
  config.optimizer.lr = 0;
  Trainer trainer(system_allocator(), e, f.model(), config, {});
  return trainer.step(rows_of(in.x, 3), View{}, View{}).loss;
}

double mean_of(const Values& v) {
  double sum = 0;
  for (double x : v) sum += x / static_cast<double>(v.size());
  return sum;
}

TEST(FlowMixture, TrainingFitsEachMemberOrTheMixture) {
  const std::string each = without_random_order(mixture("each")), one = without_random_order(mixture("each", 1)),
                    together = without_random_order(mixture("together"));
  const Rows2 in = some_rows(60);
  FlowCase<double> f(spec_of(each));
  f.randomize(2, 0.4);
  double members = 0;
  for (size_t k = 0; k < 3; ++k) members += mean_of(log_prob_of_member(f, k, one, in)) / 3;
  const double mixed = mean_of(f.log_prob(in));
  EXPECT_GT(mixed, members + 0.1);
  EXPECT_NEAR(first_loss(each, in), -members, 1e-10);
  EXPECT_NEAR(first_loss(together, in), -mixed, 1e-10);
}

// Layers that need the batch have a way of their own to the loss.
TEST(FlowMixture, TrainingWithStatisticsOfBatchesDoesToo) {
  const std::string norm = R"([{"type": "batch_norm"}])";
  const double each = first_loss(mixture("each"), some_rows(60), norm),
               together = first_loss(mixture("together"), some_rows(60), norm);
  EXPECT_GT(each, together + 0.1);
}

// What a member learns does not depend on the others: Adam's steps do not see the factor 1/K.
TEST(FlowMixture, MembersLearnAsIfAlone) {
  const std::string three = without_random_order(mixture("each")), one = without_random_order(mixture("each", 1));
  Rows2 in = some_rows(64);
  const auto train = [&](FlowCase<double>& f) {
    TrainerConfig config;
    config.optimizer.lr = 0.01;
    config.optimizer.eps = 1e-16;
    Executor e(1);
    Trainer trainer(system_allocator(), e, f.model(), config, {});
    for (int step = 0; step < 20; ++step) trainer.step(rows_of(in.x, 3), View{}, View{});
  };
  FlowCase<double> f(spec_of(three)), g(spec_of(one));
  f.randomize(2, 0.4);
  const auto& slots = g.model().params().slots();
  const auto of_member = [&](size_t i, int k) {
    return static_cast<size_t>(f.model().params().find("base." + std::to_string(k) + slots[i].name.substr(6)));
  };
  for (size_t i = 0; i < slots.size(); ++i) std::copy_n(f.param(of_member(i, 1)), slots[i].shape.count(), g.param(i));
  train(f);
  train(g);
  for (size_t i = 0; i < slots.size(); ++i)
    for (int64_t j = 0; j < slots[i].shape.count(); ++j)
      EXPECT_NEAR(f.param(of_member(i, 1))[j], g.param(i)[j], 1e-6) << slots[i].name;
}

TEST(FlowMixture, RefusesWhatAMemberCannotHave) {
  const auto build = [](const std::string& fields) {
    FlowModel(system_allocator(), spec_of(R"({"type": "flow_mixture", )" + fields + "}"), 1);
  };
  EXPECT_ERROR(build(R"("layers": [{"type": "reverse"}, {"layers": [{"type": "actnorm"}]}])"), Code::spec,
               "spec.base.layers[1].layers[0].type: \"actnorm\" is for the layers of the model");
  for (const char* type : {"batch_norm", "standardize", "dequantize", "split", "flatten"}) {
    const std::string want = std::string("\"") + type + "\" is for the layers of the model";
    EXPECT_ERROR(build(R"("layers": [{"type": ")" + std::string(type) + "\"}]"), Code::spec, want.c_str());
  }
  EXPECT_ERROR(build(R"("members": 0)"), Code::spec, "spec.base.members: 0 is not an integer in [1, 1000]");
  EXPECT_ERROR(build(R"("members": 1000, "layers": [{"repeat": 100, "layers": [{"type": "reverse"}]}])"), Code::spec,
               "spec.base.members: 1000 members of 100 layers are more than 10000 layers and bases");
  EXPECT_ERROR(build(R"("base": {"type": "class_normal"})"), Code::spec, "spec.base.base.column");
  EXPECT_ERROR(
      FlowModel(system_allocator(), spec_of(R"({"type": "flow_mixture", "members": 900})", int64_t{1} << 20), 1),
      Code::spec, "above the limit");
  EXPECT_ERROR(build(R"("fit": "both")"), Code::spec, "is not one of \"each\", \"together\"");
}

// Layers act on the channels of each pixel of an image, as in the layers of a model: one member is the same model.
TEST(FlowMixture, HasLayersOfImages) {
  const auto spec = [](const std::string& layers, const std::string& base) {
    return parse_spec(R"({"dtype": "float64", "event": [2, 3, 2], "layers": )" + layers + R"(, "base": )" + base + "}");
  };
  const std::string layers = R"([{"type": "elementwise_affine"}, {"type": "reverse"}, {"type": "linear"}])";
  FlowCase<double> f(spec("[]", R"({"type": "flow_mixture", "members": 1, "layers": )" + layers + "}"));
  FlowCase<double> g(spec(layers, "\"normal\""));
  f.randomize(2, 0.4);
  g.randomize(2, 0.4);
  ASSERT_EQ(f.model().params().slots().size(), g.model().params().slots().size());
  for (size_t i = 0; i < g.model().params().slots().size(); ++i) {
    EXPECT_EQ(f.model().params().slots()[i].name, "base.0." + g.model().params().slots()[i].name);
    EXPECT_EQ(f.model().params().slots()[i].shape, g.model().params().slots()[i].shape);
  }
  const Rows2 in = some_rows(9, 12);
  EXPECT_TRUE(same_bits(f.log_prob(in), g.log_prob(in)));
}

// A mixture of mixtures is one; nothing is in it twice.
TEST(FlowMixture, Nests) {
  FlowCase<double> f(spec_of(R"({"type": "flow_mixture", "members": 2, "base": )" + mixture("together", 2) + "}"));
  f.randomize(2, 0.4);
  std::vector<std::string> names;
  for (const auto& slot : f.model().params().slots()) names.push_back(slot.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  for (const double lp : f.log_prob(some_rows(20))) EXPECT_TRUE(std::isfinite(lp));
}

}  // namespace
}  // namespace libnf::test
