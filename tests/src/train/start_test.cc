// Layers that are initialized from data: each maps the rows that arrive at it to mean 0 and standard deviation 1,
// however it is nested, repeated or inverted; only once; with the same bits for any number of threads; bad data change
// nothing.
#include "src/train/start.h"

#include <gtest/gtest.h>

#include <thread>

#include "runtime/core/rows.h"
#include "src/model/session.h"
#include "src/train/checkpoint.h"
#include "tests/src/train/training.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"
#include "tests/support/session_case.h"

namespace libnf::test {
namespace {

constexpr char kActNorm[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [{"type": "actnorm"}]})";
// Every position that a layer can have in a chain; additive couplings change the moments in between.
constexpr char kNested[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "standardize"},
  {"repeat": 2, "layers": [{"type": "additive_coupling", "hidden": [8]}, {"type": "actnorm"}, {"type": "reverse"}]},
  {"type": "additive_coupling", "hidden": [8], "dropout": 0.4},
  {"invert": true, "layers": [{"type": "elementwise_affine"}, {"type": "actnorm"}, {"type": "additive_coupling", "hidden": [8]},
    {"invert": true, "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "actnorm"}]},
    {"type": "additive_coupling", "hidden": [8]}, {"type": "standardize"}]},
  {"type": "affine_coupling", "hidden": [8]}, {"type": "batch_norm"}, {"type": "actnorm", "repeat": 2}]})";

Data shifted(int64_t n) {
  Data d(n);
  for (size_t k = 0; k < d.x.size(); ++k) d.x[k] = 3 * d.x[k] + 100 * static_cast<double>(k % 3);
  return d;
}

std::unique_ptr<FlowModel> model_of(const char* spec) {
  auto m = std::make_unique<FlowModel>(system_allocator(), parse_spec(spec), 5);
  // Nets initially return 0, so give them random parameters.
  std::mt19937_64 random(3);
  for (size_t i = 0; i < m->params().slots().size(); ++i) {
    const ParamSlot& s = m->params().slots()[i];
    if (s.name.find("net.") == std::string::npos) continue;
    for (int64_t k = 0; k < s.shape.count(); ++k) {
      const double v = 0.3 * draw_normal(1, random)[0];
      with_dtype(m->dtype(), [&]<class T>() { m->params().view(i).as<T>()[k] = static_cast<T>(v); });
    }
  }
  return m;
}

struct Given {  // the remaining arguments
  View weight;
  Collective collective;
  uint32_t threads = 1;
};
void start(FlowModel& m, Data& d, const Given& given = {}) {
  Executor executor(given.threads);
  start_from_data(system_allocator(), executor, m, cut_of(m), d.xs(), d.contexts(), given.weight, given.collective);
}

// Returns the rows after layer `last`.
Values after(const FlowModel& m, Data& d, size_t last) {
  Tape t(system_allocator(), m.dtype());
  t.recording = false;
  std::vector<Node> nodes(m.params().slots().size());
  m.params().bind(nodes.data(), nullptr, nullptr);
  return values_of<double>(
      m.chain()
          .part({t, nodes.data()}, 0, last + 1, t.input(d.xs(), false), t.input(d.contexts(), false), Memory::full)
          .y->out);
}

struct Moments {
  double mean, std;
};
Moments moments(const Values& v, size_t column) {
  double sum = 0, squares = 0;
  const double n = static_cast<double>(v.size()) / 3;
  for (size_t k = column; k < v.size(); k += 3) sum += v[k];
  for (size_t k = column; k < v.size(); k += 3) squares += (v[k] - sum / n) * (v[k] - sum / n);
  return {sum / n, std::sqrt(squares / (n - 1))};
}

double& value(FlowModel& m, const std::string& name, int64_t k = 0) {
  return m.params().view(static_cast<size_t>(m.params().find(name))).as<double>()[k];
}

// float32 rows far from 0 come out as (x - m)/s to the last digits that they have, and come back.
TEST(Start, ActNormCentersBeforeItScales) {
  constexpr int64_t n = 400;
  FlowModel m(system_allocator(), parse_spec(R"({"event": 2, "layers": [{"type": "actnorm"}]})"), 1);
  std::mt19937_64 random(4);
  Values x = draw_normal(2 * n, random);
  for (size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k % 2 ? -3e5 + 7.3 * x[k] : 0.5 + 2 * x[k]);
  const View rows = contiguous_view(x.data(), DType::f64, {n, 2});
  Executor executor(1);
  start_from_data(system_allocator(), executor, m, cut_of(m), rows, View{}, View{}, {});
  const auto slot = [&](const char* name) {
    return m.params().view(static_cast<size_t>(m.params().find(name))).as<float>();
  };
  EXPECT_EQ(slot("layers.0.center")[0], 0) << "a column near 0 keeps the arithmetic of version 0.1";
  SessionCase<float> s(m);
  const MappedValues z = s.map(false, {n, x, {}}), back = s.map(true, {n, z.y, {}});
  for (size_t c = 0; c < 2; ++c) {
    double mean = 0, squares = 0;
    for (size_t k = c; k < x.size(); k += 2) mean += x[k] / n;
    for (size_t k = c; k < x.size(); k += 2) squares += (x[k] - mean) * (x[k] - mean);
    const double std = std::sqrt(squares / (n - 1));
    for (size_t k = c; k < x.size(); k += 2) {
      ASSERT_NEAR(z.y[k], (x[k] - mean) / std, 2e-6);
      ASSERT_NEAR(back.y[k], x[k], c ? 0.02 : 1e-6);  // a float32 step at 3e5 is 0.03
    }
  }
  // Gradients see the same numbers.
  FlowCase<float> f(parse_spec(R"({"event": 2, "layers": [{"type": "actnorm"}]})"), 1);
  f.model().params().copy_from(m.params());
  const MappedGradients g = f.gradients(false, {n, x, {}}, {Values(2 * n, 1.0), Values(n, 0.0)});
  double want = 0;  // the gradient of log_scale: the sum of (x - c) exp(l), where c is the mean to the nearest float32
  for (size_t k = 1; k < x.size(); k += 2)
    want += (x[k] - slot("layers.0.center")[1]) * std::exp(slot("layers.0.log_scale")[1]);
  EXPECT_NEAR(g.params[0][1], want, 1e-4 * n);
}

TEST(Start, ReachesEveryLayerOfTheChain) {
  const auto m = model_of(kNested);
  Data d = shifted(300);
  EXPECT_TRUE(waits_for_data(*m));
  start(*m, d);
  EXPECT_FALSE(waits_for_data(*m));
  size_t started = 0;
  for (size_t i = 0; i < m->layers().size(); ++i) {
    if (m->layers()[i].layer->started() < 0) continue;
    SCOPED_TRACE(m->layers()[i].where + (m->layers()[i].inverted ? " inverted" : ""));
    ++started;
    const Values v = after(*m, d, i);
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(moments(v, c).mean, 0, 1e-9);
      EXPECT_NEAR(moments(v, c).std, 1, m->layers()[i].layer->couples_rows() ? 1e-4 : 1e-9);  // batch_norm has eps
    }
  }
  EXPECT_EQ(started, 9u);
  for (const ParamSlot& s : m->params().slots()) {
    if (s.name.find("initialized") != std::string::npos) {
      EXPECT_EQ(value(*m, s.name), 1) << s.name;
    }
  }
}

TEST(Start, HappensOnce) {
  const auto m = model_of(kNested);
  Data d = shifted(300), other(300);
  start(*m, d);
  const uint64_t hash = m->params().hash();
  start(*m, other);
  EXPECT_EQ(m->params().hash(), hash);
  // A layer that a file or the host has marked as initialized is not changed.
  const auto by_hand = model_of(kActNorm);
  value(*by_hand, "layers.0.initialized") = 1;
  start(*by_hand, d);
  EXPECT_EQ(value(*by_hand, "layers.0.shift"), 0);
}

TEST(Start, ThreadsAndDtypeOfDataDoNotChangeBits) {
  for (const int64_t n : {2, 31, 300, 3000}) {
    Data d = shifted(n);
    const auto want = model_of(kNested);
    start(*want, d);
    for (const uint32_t threads : {2u, 3u, 8u}) {
      const auto m = model_of(kNested);
      start(*m, d, {{}, {}, threads});
      EXPECT_EQ(m->params().hash(), want->params().hash()) << n << " rows, " << threads << " threads";
    }
  }
}

TEST(Start, TheTrainerStartsFromItsFirstBatch) {
  Data d = shifted(300);
  for (const char* spec : {kNested, kActNorm}) {
    Training run(spec, adam());
    FlowModel alone(system_allocator(), parse_spec(spec), 5);
    Executor executor(1);
    start_from_data(system_allocator(), executor, alone, cut_of(alone), d.xs(0, 100), d.contexts(0, 100), {}, {});
    const auto slot = static_cast<size_t>(alone.params().find("layers.0.initialized"));
    TrainerConfig still = adam();
    still.schedule.warmup_steps = 1;
    still.schedule.warmup_start = 0;  // the first step changes no trained parameter
    Training unmoved(kActNorm, still);
    if (spec == kActNorm) {
      unmoved.steps(d, 1, 100);
      EXPECT_EQ(unmoved.hash(), alone.params().hash());
    }
    EXPECT_EQ(*run.model.params().view(slot).as<double>(), 0);
    run.steps(d, 1, 100);
    EXPECT_EQ(*run.model.params().view(slot).as<double>(), 1);
    // From then on they are ordinary parameters that files contain.
    MemorySink file, checkpoint;
    write_model(file, run.model, {});
    write_checkpoint(checkpoint, run.model, {}, run.trainer);
    LoadedModel loaded = read_model(system_allocator(), file.bytes());
    EXPECT_FALSE(waits_for_data(*loaded.model->flow()));
    Data other(300);
    start(static_cast<FlowModel&>(*loaded.model), other);
    EXPECT_EQ(loaded.model->params().hash(), run.hash());
    Training resumed(spec, adam());
    Notes notes;
    read_checkpoint(checkpoint.bytes(), resumed.model, notes, resumed.trainer);
    resumed.steps(d, 2, 100);
    run.steps(d, 2, 100);
    EXPECT_EQ(resumed.hash(), run.hash());
  }
}

TEST(Start, ConstantColumnsAreOnlyCentered) {
  for (const double constant : {0.1, -7e12, 0.0}) {
    Data d(1001);
    for (size_t k = 1; k < d.x.size(); k += 3) d.x[k] = constant;
    for (const char* type : {"actnorm", "standardize"}) {
      const auto m = model_of(
          (R"({"event": 3, "context": 1, "dtype": "float64", "layers": [{"type": ")" + std::string(type) + "\"}]}")
              .c_str());
      start(*m, d);
      const Values v = after(*m, d, 0);
      EXPECT_NEAR(moments(v, 0).std, 1, 1e-9);
      EXPECT_NEAR(moments(v, 1).mean, 0, 1e-13 * std::abs(constant));
      EXPECT_LE(moments(v, 1).std, 1e-13 * std::abs(constant)) << "scaled by its rounding errors";
    }
  }
}

// The mean is subtracted before scaling, so a year in float32 keeps its precision.
TEST(Start, StandardizeKeepsDigitsOfColumnsFarFromZero) {
  FlowModel m(system_allocator(), parse_spec(R"({"event": 3, "context": 1, "layers": [{"type": "standardize"}]})"), 5);
  Data d(500);
  for (size_t k = 0; k < d.x.size(); ++k) d.x[k] = static_cast<float>(20070 + 0.25 * std::floor(8 * d.x[k]));
  start(m, d);
  Tape t(system_allocator(), DType::f32);
  t.recording = false;
  std::vector<Node> nodes(m.params().slots().size());
  m.params().bind(nodes.data(), nullptr, nullptr);
  Var x = t.empty({500, 3});
  for (size_t k = 0; k < d.x.size(); ++k) x->out.as<float>()[k] = static_cast<float>(d.x[k]);
  const Mapped z = m.forward({t, nodes.data()}, x, t.zeros({500, 1}));
  const auto number = [&](const char* name) {
    return static_cast<double>(*m.params().view(static_cast<size_t>(m.params().find(name))).as<float>());
  };
  const double mean = number("layers.0.mean") + number("layers.0.mean_low"), std = number("layers.0.std");
  double exact = 0;
  for (size_t k = 0; k < d.x.size(); k += 3) exact += d.x[k] / 500;
  EXPECT_NEAR(mean, exact, 1e-9 * exact);
  for (size_t k = 0; k < d.x.size(); k += 3)
    EXPECT_NEAR(z.y->out.as<float>()[k], (d.x[k] - mean) / std, 1e-6) << "row " << k / 3;
  EXPECT_EQ(values_of<float>(m.inverse({t, nodes.data()}, z.y, t.zeros({500, 1})).y->out), values_of<float>(x->out));
}

TEST(Start, BadDataChangesNothing) {
  const auto m = model_of(kNested);
  const uint64_t hash = m->params().hash();
  Data d = shifted(100), one(1), none(0);
  EXPECT_ERROR(start(*m, one), Code::argument, "needs at least 2 rows for that, got 1");
  d.x[3 * 41 + 2] = NAN;
  EXPECT_ERROR(start(*m, d), Code::numeric,
               "row 41 of x holds NaN or infinity, so spec.layers[0] (standardize) cannot start from data");
  EXPECT_EQ(m->params().hash(), hash);
  // A layer makes the rows non-finite; the layers before it are restored, too.
  Data good = shifted(100);
  value(*m, "layers.14.log_scale") = -1e4;  // inverted: times e^10000
  const uint64_t broken = m->params().hash();
  ASSERT_NE(broken, hash);
  EXPECT_ERROR(start(*m, good), Code::numeric, "row 0 is not finite where it arrives at spec.layers[");
  EXPECT_EQ(m->params().hash(), broken);
  EXPECT_TRUE(waits_for_data(*m));
}

// What a chain draws on the way is what a session draws, so the rows that it scores have exactly mean 0 and deviation 1:
// a function of the seed and of the content of the row and its context, not of the row's place.
constexpr char kDrawn[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
  {"type": "dequantize", "columns": [0]}, {"type": "split", "keep": 1, "prior": "fixed", "layers": [{"type": "actnorm"}]},
  {"type": "dequantize", "columns": [2]}, {"type": "standardize"}]})";

// Levels in columns 0 and 2; different rows in column 1.
Data levels(int64_t n) {
  Data d(n);
  for (size_t k = 0; k < d.x.size(); ++k) d.x[k] = k % 3 == 1 ? d.x[k] : std::floor(2 * d.x[k]);
  return d;
}

TEST(Start, DrawsWhatASessionDraws) {
  for (const uint64_t seed : {0, 7}) {
    const auto m = model_of(kDrawn);
    Data d = levels(1000);
    Executor one(1), three(3);
    start_from_data(system_allocator(), three, *m, cut_of(*m), d.xs(), d.contexts(), {}, {}, seed);
    for (const uint64_t scored : {seed, seed + 1}) {
      Session session(system_allocator(), one, *m, {NonFinite::propagate, 1, scored});
      Values z(d.x.size());
      session.map(false, d.xs(), d.contexts(), contiguous_view(z.data(), DType::f64, {1000, 3}), View{});
      for (const size_t column : {0, 2}) {  // drawn before and after the first layer that starts
        const Moments v = moments(z, column);
        EXPECT_EQ(std::abs(v.mean) < 1e-9 && std::abs(v.std - 1) < 1e-9, scored == seed)
            << "column " << column << ": mean " << v.mean << ", deviation " << v.std << ", seed " << seed
            << ", scored with " << scored;
      }
    }
  }
}

TEST(Start, WhatIsDrawnDoesNotDependOnTheOrderOfRows) {
  Data d = levels(700), turned = d;
  for (size_t r = 0; r < 700; ++r) {
    for (size_t k = 0; k < 3; ++k) turned.x[3 * (699 - r) + k] = d.x[3 * r + k];
    turned.context[699 - r] = d.context[r];
  }
  const auto a = model_of(kDrawn), b = model_of(kDrawn);
  start(*a, d);
  start(*b, turned);
  for (int64_t k = 0; k < 3; ++k)
    for (const char* name : {"layers.4.mean", "layers.4.std"})
      EXPECT_NEAR(value(*a, name, k), value(*b, name, k), 1e-11) << name << " " << k;
}

// Equal levels in different rows get different noise: a column of zeros becomes uniform on (0, 1).
TEST(Start, RowsDrawDifferentNumbers) {
  Data d = levels(4000);
  for (size_t k = 2; k < d.x.size(); k += 3) d.x[k] = 0;
  const auto m = model_of(R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
    {"type": "dequantize", "columns": [2]}, {"type": "standardize"}]})");
  start(*m, d);
  EXPECT_NEAR(value(*m, "layers.1.mean", 2), 0.5, 0.03);
  EXPECT_NEAR(value(*m, "layers.1.std", 2), std::sqrt(1.0 / 12), 0.02);
}

TEST(Start, RowsWithoutWeightDoNotCount) {
  Data d = shifted(100), cut = shifted(100);
  Values weight(100, 2.0);
  for (size_t r = 70; r < 100; ++r) weight[r] = 0;
  d.x[3 * 80] = NAN;
  cut.rows = 70;
  const auto a = model_of(kActNorm), b = model_of(kActNorm);
  start(*a, d, {contiguous_view(weight.data(), DType::f64, {100}), {}, 1});
  start(*b, cut);
  for (const char* name : {"layers.0.log_scale", "layers.0.shift"})
    for (int64_t k = 0; k < 3; ++k) EXPECT_NEAR(value(*a, name, k), value(*b, name, k), 1e-12) << name;
}

TEST(Start, RanksAreOneProcessWithAllRows) {
  Data whole = shifted(200);
  const auto want = model_of(kNested);
  start(*want, whole);
  Meeting meeting(2);
  Data parts[2] = {whole, whole};
  parts[0].rows = 130;
  parts[1].rows = 70;
  parts[1].x.erase(parts[1].x.begin(), parts[1].x.begin() + 390);
  parts[1].context.erase(parts[1].context.begin(), parts[1].context.begin() + 130);
  const std::unique_ptr<FlowModel> models[2] = {model_of(kNested), model_of(kNested)};
  const auto work = [&](int r) { start(*models[r], parts[r], {{}, meeting.rank(r), 1}); };
  std::thread other([&] { work(1); });
  work(0);
  other.join();
  EXPECT_EQ(models[0]->params().hash(), models[1]->params().hash());
  for (size_t i = 0; i < want->params().slots().size(); ++i)
    EXPECT_TRUE(same(values_of<double>(models[0]->params().view(i)), values_of<double>(want->params().view(i)), 1e-9));

  // Bad rows of one rank stop both.
  const std::unique_ptr<FlowModel> fresh[2] = {model_of(kNested), model_of(kNested)};
  parts[1].x[0] = NAN;
  const auto fails = [&](int r, const char* text) {
    EXPECT_ERROR(start(*fresh[r], parts[r], {{}, meeting.rank(r), 1}), Code::numeric, text);
  };
  std::thread bad([&] { fails(1, "row 0 of x holds NaN or infinity"); });
  fails(0, "rows of another rank");
  bad.join();
}

TEST(Start, NeedsNoCopyOfTheRowsForTheFirstLayer) {
  CountingAllocator counting;
  const Allocator hook = counting.hook();
  FlowModel m(system_allocator(), parse_spec(R"({"event": 3, "context": 1, "dtype": "float64", "layers": [
    {"type": "standardize"}, {"type": "affine_coupling", "hidden": [8]}]})"),
              5);
  Data d = shifted(300000);
  Executor executor(2);
  start_from_data(hook, executor, m, cut_of(m), d.xs(), d.contexts(), {}, {});
  EXPECT_FALSE(waits_for_data(m));
  EXPECT_TRUE(counting.alive.empty());
  EXPECT_LT(counting.peak, d.x.size() * sizeof(double) / 4);
}

}  // namespace
}  // namespace libnf::test
