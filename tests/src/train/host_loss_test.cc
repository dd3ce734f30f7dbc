// Losses of the host: the gradient of its cotangents is that of float64 differences, for every layer of the registry and
// both directions; with the cotangents of nll, steps have the same bits as those of nll; calls add up; what they refuse
// changes nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>
#include <thread>

#include "src/objective/phases.h"
#include "src/train/start.h"
#include "tests/src/base/base_case.h"
#include "tests/src/train/training.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"
#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

constexpr uint64_t kFewConfigs = 12;
constexpr int64_t kMaxElements = 24;  // of one tensor that are checked

View matrix(Values& v, int64_t rows) {
  return v.empty() ? View{} : contiguous_view(v.data(), DType::f64, {rows, static_cast<int64_t>(v.size()) / rows});
}
View vector_of(Values& v) { return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size())}); }

// HostCotangents that make the host's loss that of nll.
Values nll_cotangents(const Values& weight) {
  double sum = 0;
  for (const double w : weight) sum += w;
  Values c;
  for (const double w : weight) c.push_back(-w / sum);
  return c;
}

template <class T>
void expect_nll_bits(const std::string& spec, bool inverted, Domain domain, uint64_t seed) {
  SCOPED_TRACE(describe(spec, inverted) + (sizeof(T) == 8 ? " float64" : " float32"));
  constexpr int64_t kRows = 80;  // two lanes
  std::mt19937_64 random(seed);
  TrainerConfig config = adam(1e-3);
  config.clip.max_norm = 1;
  config.ema.decay = 0.9;
  config.memory = seed % 2 ? Memory::recompute : Memory::full;
  config.seed = 3;
  Executor one(1), three(3);
  FlowCase<T> a(variant(spec, dtype_of<T>, inverted), seed), b(variant(spec, dtype_of<T>, inverted), seed);
  a.randomize(seed, 0.1);
  b.randomize(seed, 0.1);
  Trainer nll(system_allocator(), one, a.model(), config, {}), host(system_allocator(), three, b.model(), config, {});
  for (int step = 0; step < 5; ++step) {
    Rows2 in = draw_mild(domain, kRows, a.model().columns(), a.model().context(), random);
    Values weight(kRows, 1.0);
    if (step % 2)
      for (size_t r = 0; r < kRows; ++r) weight[r] = r % 5 == 2 ? 0 : 0.5 + static_cast<double>(r % 3);
    Values cot = nll_cotangents(weight);
    HostCotangents c;
    c.log_prob = vector_of(cot);
    StepResult want;
    try {
      want = nll.step(matrix(in.x, kRows), matrix(in.context, kRows), step % 2 ? vector_of(weight) : View{});
    } catch (const Error& e) {  // parameters that take values out of range
      ASSERT_EQ(e.code(), Code::numeric) << e.what();
      EXPECT_ERROR(host.accumulate({matrix(in.x, kRows), matrix(in.context, kRows), {}, {}}, c);
                   host.apply(0), Code::numeric, "finite");
      return;
    }
    host.accumulate({matrix(in.x, kRows), matrix(in.context, kRows), {}, {}}, c);
    const StepResult got = host.apply(want.loss);
    ASSERT_EQ(got.grad_norm, want.grad_norm) << "step " << step;
    ASSERT_EQ(got.lr, want.lr);
    ASSERT_EQ(got.step, want.step);
    ASSERT_EQ(a.model().params().hash(), b.model().params().hash()) << "step " << step;
  }
  if (!nll.has_average()) return;  // there is nothing to average
  nll.use_average(true);
  host.use_average(true);
  EXPECT_EQ(a.model().params().hash(), b.model().params().hash());
}

class HostLoss : public LayerSuite {
 protected:
  // The loss of the host as a function of the parameters.
  struct Loss {
    FlowCase<double>& f;
    bool inverse;
    Rows2 in;
    Values out, log_det, log_prob;
    double operator()(double* size) {
      const MappedValues m = f.map(inverse, in);
      Rows2 at = in;
      if (inverse) at.x = m.y;
      const Values lp = f.log_prob(at);
      double sum = 0;
      const auto add = [&](const Values& c, const Values& v) {
        for (size_t k = 0; k < v.size(); ++k) {
          sum += c[k] * v[k];
          *size += std::abs(c[k] * v[k]);
        }
      };
      add(out, m.y);
      add(log_det, m.log_det);
      add(log_prob, lp);
      return sum;
    }
  };

  static void check(FlowCase<double>& f, bool inverse, const Rows2& from, uint64_t seed) {
    std::mt19937_64 random(seed);
    const int64_t n = from.rows;
    Loss loss{
        f, inverse, from, draw_normal(n * f.model().columns(), random), draw_normal(n, random), draw_normal(n, random)};
    double unused = 0;
    if (!std::isfinite(loss(&unused))) return;
    const auto& slots = f.model().params().slots();
    std::vector<std::vector<size_t>> places(slots.size());
    std::vector<Values> start(slots.size());
    // Kinks within 2 h spoil differences, so the gradient is compared with those of several h.
    constexpr double kH[] = {1e-3, 1e-4, 1e-5, 1e-6};
    std::vector<std::array<double, 4>> differences, bounds;
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!slots[i].trainable) continue;
      const int64_t count = slots[i].shape.count();
      for (int64_t e = 0; e < std::min(count, kMaxElements); ++e) {
        const auto k = static_cast<size_t>(
            count <= kMaxElements ? e : static_cast<int64_t>(random() % static_cast<uint64_t>(count)));
        double* p = f.param(i) + k;
        const double value = *p;
        std::array<double, 4> d{}, b{};
        for (size_t j = 0; j < 4; ++j) {
          const double h = kH[j];
          double size = 0;
          const auto at = [&](double v) {
            *p = v;
            return loss(&size);
          };
          d[j] = (8 * (at(value + h) - at(value - h)) - (at(value + 2 * h) - at(value - 2 * h))) / (12 * h);
          b[j] = 1e-6 * std::max(1.0, std::abs(d[j])) + 1e-15 * size / h;
        }
        *p = value;
        places[i].push_back(k);
        start[i].push_back(value);
        differences.push_back(d);
        bounds.push_back(b);
      }
    }
    TrainerConfig config = descent();
    config.optimizer.lr = 1;
    config.memory = seed % 2 ? Memory::recompute : Memory::full;
    Executor executor(2);
    Trainer trainer(system_allocator(), executor, f.model(), config, {});
    HostCotangents c;
    c.inverse = inverse;
    c.out = matrix(loss.out, n);
    c.log_det = vector_of(loss.log_det);
    c.log_prob = vector_of(loss.log_prob);
    trainer.accumulate({matrix(loss.in.x, n), matrix(loss.in.context, n), {}, {}}, c);
    trainer.apply(0);
    size_t at = 0;
    for (size_t i = 0; i < slots.size(); ++i)
      for (size_t e = 0; e < places[i].size(); ++e, ++at) {
        const double gradient = start[i][e] - f.param(i)[places[i][e]];
        bool agrees = false;
        for (size_t j = 0; j < 4; ++j) agrees |= std::abs(differences[at][j] - gradient) <= bounds[at][j];
        ASSERT_TRUE(agrees) << slots[i].name << " " << places[i][e] << ": gradient " << gradient << ", difference "
                            << differences[at][0] << " " << differences[at][2];
      }
  }
};

TEST_P(HostLoss, HasTheBitsOfNll) {
  for (uint64_t i = 0; i < kFewConfigs && !HasFailure(); ++i) {
    const Dims event = some_event(i);
    const std::string spec = random_spec(kind(), 50000 + i, event, i % 2 ? 3 : 0);
    for (const bool inverted : directions(spec)) {
      expect_nll_bits<double>(spec, inverted, domain(inverted), i);
      expect_nll_bits<float>(spec, inverted, domain(inverted), i);
    }
  }
}

TEST_P(HostLoss, AgreesWithDifferences) {
  if (draws(kind())) GTEST_SKIP() << "its results are not those of a session";
  for (uint64_t i = 0; i < kFewConfigs && !HasFailure(); ++i) {
    const Dims event = some_event(i);
    const std::string spec = std::regex_replace(random_spec(kind(), 60000 + i, event, i % 2 ? 3 : 0),
                                                std::regex("\"dropout\":[^,}]*"), "\"dropout\":0");
    for (const bool inverted : directions(spec)) {
      SCOPED_TRACE(describe(spec, inverted));
      std::mt19937_64 random(i);
      for (const bool inverse : {false, true}) {
        FlowCase<double> f = make_case<double>(spec, inverted, i);
        keep_initial(f.model());
        if (!inverse && couples_rows(f.model())) continue;  // see CoupledRowsAgreeWithDifferences
        Rows2 in = draw_mild(domain(inverted), 3, f.model().columns(), f.model().context(), random);
        if (inverse) in.x = f.map(false, in).y;
        if (!std::all_of(in.x.begin(), in.x.end(), [](double v) { return std::isfinite(v); })) continue;
        check(f, inverse, in, i);
      }
    }
  }
}

NF_EVERY_LAYER(HostLoss);

TEST(HostLossBase, EveryBaseInBothDirections) {
  for (const BaseSetup& b : kBaseSetups) {
    SCOPED_TRACE(b.json);
    constexpr int64_t kRows = 40;
    Executor executor(2);
    FlowCase<double> a(base_spec(b, DType::f64, 3), 2), f(base_spec(b, DType::f64, 3), 2);
    const TrainerConfig config = descent();
    Trainer nll(system_allocator(), executor, a.model(), config, {}),
        host(system_allocator(), executor, f.model(), config, {}),
        back(system_allocator(), executor, a.model(), config, {});
    Values context = draw_context(b, kRows, 5), x = sample_base(f, 4, 0, kRows, context);
    Values cot(kRows, -1.0 / kRows);
    HostCotangents c;
    c.log_prob = vector_of(cot);
    nll.step(matrix(x, kRows), matrix(context, kRows), {});
    host.accumulate({matrix(x, kRows), matrix(context, kRows), {}, {}}, c);
    host.apply(0);
    EXPECT_EQ(a.model().params().hash(), f.model().params().hash());
    // Without layers, z is x.
    back.parameters_changed();
    c.inverse = true;
    nll.step(matrix(x, kRows), matrix(context, kRows), {});
    host.accumulate({matrix(x, kRows), matrix(context, kRows), {}, {}}, c);
    host.apply(0);
    EXPECT_EQ(a.model().params().hash(), f.model().params().hash());
  }
}

constexpr char kSpec[] = R"({"event": 3, "context": 1, "base": "diagonal_normal", "dtype": "float64", "layers": [
  {"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [16], "activation": "tanh"}, {"type": "reverse"}]}]})";
constexpr char kCoupled[] = R"({"event": 3, "context": 1, "dtype": "float64", "layers": [{"type": "actnorm"},
  {"type": "affine_coupling", "hidden": [12], "activation": "tanh"}, {"type": "batch_norm"}, {"type": "reverse"},
  {"type": "affine_coupling", "hidden": [12], "activation": "tanh"}, {"type": "batch_norm"}]})";
constexpr char kDropout[] = R"({"event": 3, "context": 1, "layers": [
  {"type": "affine_coupling", "hidden": [16, 16], "dropout": 0.3}, {"type": "reverse"}]})";
constexpr char kDraws[] = R"({"event": 3, "context": 1, "layers": [{"type": "dequantize"}, {"type": "actnorm"}]})";

HostCotangents of_log_prob(Values& v) {
  HostCotangents c;
  c.log_prob = vector_of(v);
  return c;
}

// The loss as a function of the statistics of the batch: of cotangents of z and log_det, by differences. The values are
// those of a copy whose running statistics are the batch's.
TEST(HostLossCalls, CoupledRowsAgreeWithDifferences) {
  Data data(50);
  TrainerConfig config = descent();
  config.optimizer.lr = 1;
  std::mt19937_64 random(3);
  Values out = draw_normal(150, random), log_det = draw_normal(50, random);
  Training run(kCoupled, config, 2);
  run.steps(data, 1, 50);  // starts layers
  // Values with the statistics of the batch: momentum 1 puts them into the running ones.
  std::string all = kCoupled;
  for (size_t at = 0; (at = all.find("\"batch_norm\"", at)) != std::string::npos; at += 12)
    all.insert(at + 12, ", \"momentum\": 1");
  const auto loss = [&] {
    Training at(all.c_str(), config);
    at.model.params().copy_from(run.model.params());
    at.trainer.parameters_changed();
    Values zero(50, 1e-300);
    at.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(zero));  // moves running statistics
    Tape t(system_allocator(), DType::f64);
    t.recording = false;
    std::vector<Node> nodes(at.model.params().slots().size());
    at.model.params().bind(nodes.data(), nullptr, nullptr);
    const Mapped m = at.model.forward({t, nodes.data()}, t.input(data.xs(), false), t.input(data.contexts(), false));
    const Values z = values_of<double>(m.y->out), l = values_of<double>(m.log_det->out);
    double sum = 0;
    for (size_t k = 0; k < z.size(); ++k) sum += out[k] * z[k];
    for (size_t k = 0; k < l.size(); ++k) sum += log_det[k] * l[k];
    return sum;
  };
  // Training divides by the unbiased variance, as running statistics do.
  std::vector<Values> start;
  std::vector<double> difference;
  const auto& slots = run.model.params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const View v = run.model.params().view(i);
    start.push_back(values_of<double>(v));
    double& p = v.as<double>()[v.count() - 1];
    const double keep = p;
    difference.push_back(slots[i].trainable ? five_point(1e-3, {1.0},
                                                         [&](double h) {
                                                           p = keep + h;
                                                           return Values{loss()};
                                                         })
                                            : 0);
    p = keep;
  }
  run.trainer.parameters_changed();
  HostCotangents c;
  c.out = contiguous_view(out.data(), DType::f64, {50, 3});
  c.log_det = vector_of(log_det);
  run.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, c);
  run.trainer.apply(0);
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].trainable) continue;
    const double g = start[i].back() - values_of<double>(run.model.params().view(i)).back();
    EXPECT_NEAR(g, difference[i], 1e-6 * std::max(1.0, std::abs(g))) << slots[i].name;
  }
}

TEST(HostLossCalls, AddUp) {
  Data data(300);
  std::mt19937_64 random(1);
  Values cot = draw_normal(300, random), out = draw_normal(900, random);
  const auto part = [&](int64_t first, int64_t n, bool inverse) {
    HostCotangents c;
    c.inverse = inverse;
    c.log_prob = contiguous_view(&cot[static_cast<size_t>(first)], DType::f64, {n});
    c.out = contiguous_view(&out[static_cast<size_t>(3 * first)], DType::f64, {n, 3});
    return c;
  };
  Training whole(kSpec, descent()), parts(kSpec, descent(), 2), forgetful(kSpec, descent());
  const auto add = [&](Training& t, int64_t first, int64_t n, bool inverse) {
    t.trainer.accumulate({data.xs(first, n), data.contexts(first, n), {}, {}}, part(first, n, inverse));
  };
  EXPECT_ERROR(whole.trainer.apply(0), Code::state, "no gradient waits");
  add(whole, 0, 300, false);
  const StepResult a = whole.trainer.apply(2.5);
  EXPECT_EQ(a.loss, 2.5);
  for (const auto& [first, n] : {std::pair<int64_t, int64_t>{0, 1}, {1, 199}, {200, 100}}) add(parts, first, n, false);
  EXPECT_EQ(parts.trainer.accumulated(), 3u);
  EXPECT_ERROR(parts.steps(data, 1, 50), Code::state, "gradients of 3 calls");
  const StepResult b = parts.trainer.apply(0);
  EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-11 * a.grad_norm);
  EXPECT_TRUE(same(whole.params(), parts.params(), 1e-10));

  // Forgotten gradients leave no trace, and both directions add to one gradient.
  Training clean(kSpec, descent());
  for (Training* t : {&forgetful, &clean}) {
    if (t == &forgetful) {
      add(*t, 0, 100, false);
      t->trainer.discard();
    }
    add(*t, 0, 64, true);
    add(*t, 64, 64, false);
    t->trainer.apply(0);
  }
  EXPECT_EQ(forgetful.hash(), clean.hash());
}

TEST(HostLossCalls, ThreadsDoNotChangeBits) {
  Data data(700);
  std::mt19937_64 random(1);
  Values cot = draw_normal(700, random);
  for (const char* spec : {kSpec, kCoupled, kDropout})
    for (const Memory memory : {Memory::full, Memory::recompute}) {
      TrainerConfig config = adam();
      config.memory = memory;
      uint64_t want = 0;
      for (const uint32_t threads : {1u, 2u, 5u}) {
        Training run(spec, config, threads);
        for (int k = 0; k < 3; ++k) {
          run.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(cot));
          run.trainer.accumulate({data.xs(0, 77), data.contexts(0, 77), {}, {}},
                                 {false, {}, {}, contiguous_view(cot.data(), DType::f64, {77})});
          run.trainer.apply(0);
        }
        if (threads == 1) want = run.hash();
        EXPECT_EQ(run.hash(), want) << threads << " threads, " << spec;
      }
    }
}

// Every call of a step drops other units; the first those of a step of nll.
TEST(HostLossCalls, HaveDropoutOfTheirOwn) {
  Data data(64);
  Values cot(64, -1.0 / 64), half(64, -0.5 / 64);
  Training once(kDropout, descent()), twice(kDropout, descent());
  once.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(cot));
  for (int k = 0; k < 2; ++k) twice.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(half));
  once.trainer.apply(0);
  twice.trainer.apply(0);
  EXPECT_FALSE(same(once.params(), twice.params(), 1e-5));
}

// Rows without cotangents may hold anything, as rows of weight 0 may.
TEST(HostLossCalls, RowsWithoutCotangentsAreNotSeen) {
  Data data(60);
  for (const char* spec : {kSpec, kCoupled}) {
    Training masked(spec, descent()), nll(spec, descent());
    Values weight(60, 1.0);
    for (size_t r = 0; r < 60; ++r) weight[r] = r % 4 == 1 ? 0 : 1;
    Data bad = data;
    bad.x[3 * 5] = NAN;
    bad.context[9] = INFINITY;
    Values cot = nll_cotangents(weight);
    masked.trainer.accumulate({bad.xs(), bad.contexts(), {}, {}}, of_log_prob(cot));
    masked.trainer.apply(0);
    nll.trainer.step(bad.xs(), bad.contexts(), vector_of(weight));
    EXPECT_EQ(masked.hash(), nll.hash()) << spec;
  }
}

TEST(HostLossCalls, RefuseWhatIsNotFiniteAndKeepTheRest) {
  Data data(40);
  Values cot(40, -0.1);
  for (const char* spec : {kSpec, kCoupled}) {
    Training run(spec, descent()), twin(spec, descent());
    for (Training* t : {&run, &twin}) t->steps(data, 1, 40);
    for (Training* t : {&run, &twin}) t->trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(cot));
    Values bad = cot;
    bad[17] = NAN;
    EXPECT_ERROR(run.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(bad)), Code::numeric,
                 "\"log_prob\" of row 17 is nan");
    Data holes = data;
    holes.x[3 * 21 + 1] = NAN;
    try {
      run.trainer.accumulate({holes.xs(), holes.contexts(), {}, {}}, of_log_prob(cot));
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::numeric);
      EXPECT_EQ(e.place().row, 21) << e.what();
    }
    EXPECT_EQ(run.trainer.accumulated(), 1u);
    run.trainer.apply(0);
    twin.trainer.apply(0);
    EXPECT_EQ(run.hash(), twin.hash());
  }
  // Finite results whose gradient is not.
  Training run(kSpec, descent());
  Values huge(40, 1e308);
  const uint64_t before = run.hash();
  for (int k = 0; k < 3; ++k) run.trainer.accumulate({data.xs(), data.contexts(), {}, {}}, of_log_prob(huge));
  EXPECT_ERROR(run.trainer.apply(0), Code::numeric, "gradient is not finite; it is forgotten");
  EXPECT_EQ(run.hash(), before);
  EXPECT_EQ(run.trainer.accumulated(), 0u);
  EXPECT_EQ(run.trainer.steps(), 0u);
  run.steps(data, 1, 40);

  Training draws(kDraws, descent());
  Values whole(120);
  for (size_t k = 0; k < 120; ++k) whole[k] = std::floor(data.x[k]);
  const View levels = contiguous_view(whole.data(), DType::f64, {40, 3});
  EXPECT_ERROR(draws.trainer.accumulate({levels, data.contexts(), {}, {}}, {false, {}, vector_of(cot), {}}),
               Code::unsupported, "only the cotangent \"log_prob\"");
  EXPECT_ERROR(draws.trainer.accumulate({levels, data.contexts(), {}, {}}, {true, {}, {}, vector_of(cot)}),
               Code::unsupported, "NF_INVERSE");
  draws.trainer.accumulate({levels, data.contexts(), {}, {}}, of_log_prob(cot));
  draws.trainer.apply(0);
}

TEST(HostLossCalls, AllocateNothingAfterTheFirstStep) {
  Data data(300);
  Values cot(300, -0.1), out(900, 0.1);
  for (const char* spec : {kSpec, kCoupled}) {
    CountingAllocator counting;
    {
      Executor executor(2);
      FlowModel model(system_allocator(), parse_spec(spec), 5);
      Trainer trainer(counting.hook(), executor, model, adam(), {});
      const auto step = [&](int64_t n) {
        for (const bool inverse : {false, true}) {
          HostCotangents c;
          c.inverse = inverse;
          c.out = contiguous_view(out.data(), DType::f64, {n, 3});
          c.log_prob = contiguous_view(cot.data(), DType::f64, {n});
          trainer.accumulate({data.xs(0, n), data.contexts(0, n), {}, {}}, c);
        }
        trainer.apply(0);
        trainer.step(data.xs(0, n), data.contexts(0, n), {});
        trainer.evaluate({data.xs(0, n), data.contexts(0, n), {}, {}});
      };
      step(300);
      const int64_t before = counting.calls;
      for (const int64_t n : {300, 40, 77, 300}) step(n);
      EXPECT_EQ(counting.calls, before) << spec;
      size_t alive = 0;
      for (const auto& b : counting.alive) alive += b.bytes;
      EXPECT_EQ(trainer.bytes(), alive) << spec;
    }
    EXPECT_TRUE(counting.alive.empty());
  }
}

// Two ranks with half of the rows each are one with all.
TEST(HostLossCalls, RanksAreOneProcess) {
  Data data(100);
  Values cot(100, -0.01);
  for (const char* spec : {kSpec, kCoupled}) {
    Training whole(spec, descent());
    Meeting meeting(2);
    Training ranks[2] = {Training(spec, descent(), 1, meeting.rank(0)), Training(spec, descent(), 2, meeting.rank(1))};
    const auto run = [&](Training& t, int64_t first, int64_t n) {
      for (int k = 0; k < 3; ++k) {
        t.trainer.accumulate({data.xs(first, n), data.contexts(first, n), {}, {}},
                             {false, {}, {}, contiguous_view(&cot[static_cast<size_t>(first)], DType::f64, {n})});
        t.trainer.apply(0);
      }
    };
    run(whole, 0, 100);
    std::thread other([&] { run(ranks[1], 60, 40); });
    run(ranks[0], 0, 60);
    other.join();
    EXPECT_EQ(ranks[0].hash(), ranks[1].hash());
    EXPECT_TRUE(same(ranks[0].params(), whole.params(), 1e-9)) << spec;
  }
}

}  // namespace
}  // namespace libnf::test
