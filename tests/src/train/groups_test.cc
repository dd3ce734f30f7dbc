// Groups of parameters: which names a pattern matches, what a group changes and what it leaves unchanged, the same bits
// for any number of threads, ranks and after a restart.
#include "src/train/groups.h"

#include <gtest/gtest.h>

#include <thread>

#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 3, "context": 1, "dtype": "float64", "base": "diagonal_normal", "layers": [
  {"type": "affine_coupling", "hidden": [12]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [12]},
  {"type": "elementwise_affine"}]})";

TrainerConfig with(const char* groups, TrainerConfig c = descent()) {
  c.groups = read_groups(groups, c.rest());
  return c;
}

// Returns the parameters whose names begin with `prefix`, in one list.
Values named(const Training& t, const std::string& prefix) {
  Values all;
  for (size_t i = 0; i < t.model.params().slots().size(); ++i) {
    if (t.model.params().slots()[i].name.rfind(prefix, 0) != 0) continue;
    const Values p = values_of<double>(t.model.params().view(i));
    all.insert(all.end(), p.begin(), p.end());
  }
  return all;
}

Values difference(const Values& a, const Values& b) {
  Values d;
  for (size_t i = 0; i < a.size(); ++i) d.push_back(a[i] - b[i]);
  return d;
}

double norm(const Values& v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

TEST(Groups, PatternsMatchWholeNames) {
  const struct {
    const char *pattern, *name;
    bool matches;
  } cases[] = {{"base.loc", "base.loc", true},
               {"base.*", "base.loc", true},
               {"base.*", "base.", true},
               {"base.*", "layers.0.base.loc", false},
               {"*", "", true},
               {"*", "anything.at.all", true},
               {"", "", true},
               {"", "x", false},
               {"layers.?.*", "layers.3.w", true},
               {"layers.?.*", "layers.10.w", false},
               {"*.weight", "a.b.weight", true},
               {"*.weight", "a.b.weights", false},
               {"*a*b*c", "xaxbxbxc", true},
               {"*a*b*c", "xaxcxb", false},
               {"**", "x", true},
               {"?", "", false}};
  for (const auto& c : cases) EXPECT_EQ(matches(c.pattern, c.name), c.matches) << c.pattern << " " << c.name;
}

TEST(Groups, WrongOnesAreRefused) {
  const GroupConfig rest;
  const struct {
    const char *json, *says;
  } cases[] = {
      {"{}", "groups: "},
      {"[1]", "groups[0]: 1 is not an object"},
      {"[{}]", "groups[0].match is missing"},
      {R"([{"match": 3}])", "groups[0].match"},
      {R"([{"match": "*"}, {"match": "*", "lrr": 1}])", "groups[1]: unknown field \"lrr\"; did you mean \"lr\"?"},
      {R"([{"match": "*", "lr": -1}])", "groups[0].lr"},
      {R"([{"match": "*", "freeze": true, "lr": 1}])", "groups[0].lr has no effect with \"freeze\": true"},
      {R"([{"match": "*", "momentum": 0.9}])", "momentum: 0.9 has no effect with \"optimizer\": \"adam\""},
      {R"([{"match": "*", "optimizer": "sdg"}])", "groups[0].optimizer"},
      {R"([{"match": "*")", "groups"},
  };
  for (const auto& c : cases) EXPECT_ERROR(read_groups(c.json, rest), Code::spec, c.says);
  EXPECT_TRUE(read_groups("", rest).empty());
  EXPECT_TRUE(read_groups("[]", rest).empty());

  EXPECT_ERROR(Training(kSpec, with(R"([{"match": "bsae.*"}])")), Code::spec, "matches no trainable parameter");
  EXPECT_ERROR(Training(kSpec, with(R"([{"match": "base.locs"}])")), Code::spec, "\"base.loc\"");
  EXPECT_ERROR(Training(kSpec, with(R"([{"match": "base.*, typo"}])")), Code::spec, "groups[0].match: \"typo\"");
  EXPECT_ERROR(Training(kSpec, with(R"([{"match": "*"}, {"match": "base.*"}])")), Code::spec,
               "groups[1].match: \"base.*\" matches only parameters that groups[0] has already");
  EXPECT_ERROR(Training(kSpec, with(R"([{"match": "*", "freeze": true}])")), Code::spec, "freeze every parameter");
}

TEST(Groups, WithoutASettingNothingChanges) {
  Data data(300);
  TrainerConfig clipped = adam();
  clipped.clip.max_norm = 0.5;
  Training plain(kSpec, clipped), grouped(kSpec, with(R"([{"match": "*"}])", clipped));
  Training apart(kSpec, with(R"([{"match": "layers.0.*"}, {"match": "base.*,layers.3.*"}])", adam())),
      together(kSpec, adam());
  for (Training* t : {&plain, &grouped, &apart, &together}) t->steps(data, 5, 100);
  EXPECT_EQ(grouped.hash(), plain.hash());
  EXPECT_EQ(grouped.last.grad_norm, plain.last.grad_norm);
  EXPECT_EQ(apart.hash(), together.hash()) << "without clipping, the division into groups has no effect";
  EXPECT_NEAR(apart.last.grad_norm, together.last.grad_norm, 1e-12);
}

TEST(Groups, FrozenParametersStayAndTheOthersHaveTheSameGradient) {
  Data data(200);
  for (const Memory memory : {Memory::full, Memory::recompute})
    for (const char* frozen : {"layers.0.*", "base.*", "layers.2.*,layers.3.*"}) {
      TrainerConfig config = descent();
      config.memory = memory;
      const std::string groups = R"([{"match": ")" + std::string(frozen) + R"(", "freeze": true}])";
      Training free(kSpec, config), held(kSpec, with(groups.c_str(), config), 2);
      const Values start = free.params();
      free.steps(data, 1, 200);
      held.steps(data, 1, 200);
      EXPECT_EQ(held.last.loss, free.last.loss);
      EXPECT_LT(held.last.grad_norm, free.last.grad_norm);
      size_t at = 0, still = 0;
      const Values a = free.params(), b = held.params();
      const auto assigned = assign_groups(held.model.params(), held.trainer.config().groups);
      for (size_t i = 0; i < assigned.size(); ++i)
        for (int64_t k = 0; k < held.model.params().view(i).count(); ++k, ++at) {
          if (assigned[i] == 0) {
            EXPECT_EQ(b[at], start[at]) << frozen;
            still += a[at] != start[at];
          } else {
            EXPECT_EQ(b[at], a[at]) << frozen;
          }
        }
      EXPECT_GT(still, 0u) << "they would have moved";
    }
}

TEST(Groups, WeightDecayAndAveragesLeaveFrozenParametersAlone) {
  Data data(100);
  TrainerConfig config = adam();
  config.optimizer.kind = OptimizerKind::adamw;
  config.optimizer.weight_decay = 0.5;
  config.ema.decay = 0.9;
  Training t(kSpec, with(R"([{"match": "layers.*", "freeze": true}])", config)), plain(kSpec, config);
  const Values layers = named(t, "layers."), base = named(t, "base.");
  t.steps(data, 5, 50);
  EXPECT_EQ(named(t, "layers."), layers);
  EXPECT_GT(norm(difference(named(t, "base."), base)), 1e-3);
  t.trainer.use_average(true);
  EXPECT_EQ(named(t, "layers."), layers);
  int64_t state = 0, whole = 0;
  for (const auto& [name, view] : t.trainer.state_tensors()) state += name == "m" ? view.count() : 0;
  for (const auto& [name, view] : plain.trainer.state_tensors()) whole += name == "m" ? view.count() : 0;
  EXPECT_EQ(whole, plain.model.params().trainable_size());
  EXPECT_LT(state, whole / 4) << "frozen parameters have no optimizer state";
}

// What lies between the parameters of a group belongs to another one.
TEST(Groups, MayHaveGaps) {
  Data data(100);
  const struct {
    const char* groups;
    double slower[4];  // factor of the step of each part below
  } cases[] = {{R"([{"match": "layers.0.*, layers.3.*", "lr": 0.025}])", {1, 0.25, 1, 0.25}},
               {R"([{"match": "layers.2.*", "lr": 0.025}])", {1, 1, 0.25, 1}},
               {R"([{"match": "layers.2.*", "freeze": true}])", {1, 1, 0, 1}}};
  constexpr const char* kParts[] = {"base.", "layers.0.", "layers.2.", "layers.3."};
  TrainerConfig config = descent();  // lr 0.1
  config.optimizer.weight_decay = 0.5;
  for (const auto& c : cases) {
    Training plain(kSpec, config), grouped(kSpec, with(c.groups, config));
    Values start[4];
    for (size_t k = 0; k < 4; ++k) start[k] = named(plain, kParts[k]);
    plain.steps(data, 1, 100);
    grouped.steps(data, 1, 100);
    for (size_t k = 0; k < 4; ++k) {
      Values want = difference(named(plain, kParts[k]), start[k]);
      EXPECT_GT(norm(want), 1e-4) << kParts[k];
      for (double& v : want) v *= c.slower[k];
      EXPECT_TRUE(same(difference(named(grouped, kParts[k]), start[k]), want, 1e-12)) << c.groups << " " << kParts[k];
    }
  }
}

TEST(Groups, RatesScaleWithTheSchedule) {
  Data data(100);
  TrainerConfig config = descent();  // lr 0.1
  config.schedule.kind = ScheduleKind::exponential;
  Training plain(kSpec, config), slow(kSpec, with(R"([{"match": "base.*", "lr": 0.025}])", config));
  const Values base = named(plain, "base."), layers = named(plain, "layers.");
  plain.steps(data, 1, 100);
  slow.steps(data, 1, 100);
  EXPECT_EQ(named(slow, "layers."), named(plain, "layers."));
  EXPECT_TRUE(same(
      difference(named(slow, "base."), base),
      [&] {
        Values quarter = difference(named(plain, "base."), base);
        for (double& v : quarter) v *= 0.25;
        return quarter;
      }(),
      1e-12));
  // The second step has half the rate for both.
  const Values before = named(slow, "base.");
  slow.steps(data, 1, 100);
  EXPECT_NEAR(slow.last.lr, 0.05, 1e-15);
  EXPECT_GT(norm(difference(named(slow, "base."), before)), 0);
}

TEST(Groups, NormsAreClippedApart) {
  Data data(100);
  Training plain(kSpec, descent());
  const Values base = named(plain, "base."), layers = named(plain, "layers.");
  plain.steps(data, 1, 100);
  const Values of_base = difference(named(plain, "base."), base),
               of_layers = difference(named(plain, "layers."), layers);
  const auto shrunk = [](Values v, double length) {
    const double factor = length / norm(v);
    for (double& x : v) x *= factor;
    return v;
  };
  // The base has its own limit; the layers keep the common one, which excludes the base.
  TrainerConfig config = descent();
  config.clip.max_norm = norm(of_layers) / 0.1 / 2;
  Training t(kSpec, with(R"([{"match": "base.*", "clip_norm": 0.01}])", config));
  t.steps(data, 1, 100);
  EXPECT_TRUE(same(difference(named(t, "base."), base), shrunk(of_base, 0.001), 1e-6));
  EXPECT_TRUE(same(difference(named(t, "layers."), layers), shrunk(of_layers, norm(of_layers) / 2), 1e-6));
  EXPECT_EQ(t.last.grad_norm, plain.last.grad_norm) << "of all parameters, before clipping";
}

constexpr char kTwo[] =
    R"([{"match": "layers.0.*", "optimizer": "sgd", "momentum": 0.9, "lr": 0.003, "clip_value": 0.02},
        {"match": "layers.2.*", "optimizer": "rmsprop"}, {"match": "layers.3.*", "freeze": true}])";

TEST(Groups, SeveralOptimizersResumeExactly) {
  Data data(400);
  TrainerConfig config = adam();
  config.clip.max_norm = 1;
  config.ema.decay = 0.9;
  config = with(kTwo, config);
  Training whole(kSpec, config), first(kSpec, config, 2), second(kSpec, config, 3);
  whole.steps(data, 12, 64);
  first.steps(data, 5, 64);
  MemorySink file;
  write_checkpoint(file, first.model, {}, first.trainer);
  Notes notes;
  second.steps(data, 2, 64);
  read_checkpoint(file.bytes(), second.model, notes, second.trainer);
  second.steps(data, 7, 64);
  EXPECT_EQ(second.hash(), whole.hash());
  second.trainer.use_average(true);
  whole.trainer.use_average(true);
  EXPECT_EQ(second.hash(), whole.hash());

  std::vector<std::string> names;
  for (const auto& [name, view] : first.trainer.state_tensors()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"groups.0.buf", "groups.1.v", "m", "v", "average"}));
  Training none(kSpec, adam()), other(kSpec, with(R"([{"match": "base.*", "freeze": true}])", adam()));
  for (Training* t : {&none, &other})
    EXPECT_ERROR(read_checkpoint(file.bytes(), t->model, notes, t->trainer), Code::state, "other groups");
  MemorySink plain;
  write_checkpoint(plain, none.model, {}, none.trainer);
  EXPECT_ERROR(read_checkpoint(plain.bytes(), first.model, notes, first.trainer), Code::state, "other groups");
}

TEST(Groups, ThreadsAndRanksDoNotChangeWhatIsTrained) {
  Data data(600);
  uint64_t want = 0;
  for (const uint32_t threads : {1u, 2u, 8u}) {
    Training t(kSpec, with(kTwo, adam()), threads);
    t.steps(data, 6, 600);
    if (!want) want = t.hash();
    EXPECT_EQ(t.hash(), want) << threads;
  }
  Meeting meeting(2);
  std::vector<Values> params(2);
  std::vector<std::thread> ranks;
  for (int r = 0; r < 2; ++r)
    ranks.emplace_back([&, r] {
      Training t(kSpec, with(kTwo, adam()), 1, meeting.rank(r));
      t.trainer.step(data.xs(300 * r, 300), data.contexts(300 * r, 300), View{});
      params[static_cast<size_t>(r)] = t.params();
    });
  for (std::thread& t : ranks) t.join();
  Training one(kSpec, with(kTwo, adam()));
  one.steps(data, 1, 600);
  EXPECT_EQ(params[0], params[1]);
  EXPECT_TRUE(same(params[0], one.params(), 1e-9));
}

}  // namespace
}  // namespace libnf::test
