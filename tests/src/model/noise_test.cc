// Models that draw random numbers while scoring (dequantize): the draws depend on the content of a row, log_prob is a
// bound that more draws make tighter, and rows that are not levels have density 0.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/model/flow_model.h"
#include "src/model/session.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/expect_error.h"
#include "tests/support/flow_case.h"
#include "tests/support/trace.h"

namespace libnf::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kRows = 300;

// Two columns of counts and one of reals, with a context.
constexpr char kSpec[] = R"({"event": [3], "context": [1], "layers": [
  {"type": "elementwise_affine"}, {"type": "dequantize", "columns": [0, 2]},
  {"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}, {"type": "affine_coupling", "hidden": [16]}]})";

template <class T>
View column(std::vector<T>& v) {
  return contiguous_view(v.data(), dtype_of<T>, {static_cast<int64_t>(v.size())});
}
template <class T>
View rows(std::vector<T>& v, int64_t cols) {
  return contiguous_view(v.data(), dtype_of<T>, {static_cast<int64_t>(v.size()) / cols, cols});
}

// log_prob of float64 rows.
Values score(Session& s, Values x, int64_t cols, Values context = {}, int64_t context_cols = 0) {
  Values lp(x.size() / static_cast<size_t>(cols), NAN);
  s.log_prob(rows(x, cols), context.empty() ? View{} : rows(context, context_cols), column(lp));
  return lp;
}

class Noise : public testing::Test {
 protected:
  Noise() : f(parse_spec(kSpec)) {
    f.randomize(3, 0.2);
    std::fill_n(f.param(0), 3, 0.0f);  // the first layer leaves counts unchanged
    std::fill_n(f.param(1), 3, 0.0f);
    std::mt19937_64 random(4);
    std::poisson_distribution<int> count(3);
    for (int64_t r = 0; r < kRows; ++r) {
      x.insert(x.end(), {double(count(random)), draw_normal(1, random)[0], double(count(random))});
      c.push_back(draw_normal(1, random)[0]);
    }
  }
  Session session(Executor& e, int64_t samples = 1, uint64_t seed = 0) {
    return Session(system_allocator(), e, f.model(), {NonFinite::propagate, samples, seed});
  }
  FlowCase<float> f;
  Values x, c;
};

TEST_F(Noise, DependsOnTheRowAlone) {
  Executor one(1), four(4);
  for (const int64_t samples : {1, 5}) {
    Session s = session(one, samples), t = session(four, samples);
    const Values want = score(s, x, 3, c, 1);
    EXPECT_TRUE(same_bits(score(t, x, 3, c, 1), want));
    for (const int64_t chunk : {1, 7, 64, 256}) {
      Values got;
      for (int64_t first = 0; first < kRows; first += chunk) {
        const int64_t n = std::min(chunk, kRows - first);
        const Values some = score(s, Values(x.begin() + 3 * first, x.begin() + 3 * (first + n)), 3,
                                  Values(c.begin() + first, c.begin() + first + n), 1);
        got.insert(got.end(), some.begin(), some.end());
      }
      EXPECT_TRUE(same_bits(got, want)) << chunk;
    }
    std::vector<size_t> order(kRows);
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), std::mt19937_64(5));
    Values moved, contexts, expected;
    for (const size_t r : order) {
      moved.insert(moved.end(), x.begin() + static_cast<int64_t>(3 * r), x.begin() + static_cast<int64_t>(3 * r + 3));
      contexts.push_back(c[r]);
      expected.push_back(want[r]);
    }
    EXPECT_TRUE(same_bits(score(s, moved, 3, contexts, 1), expected));
    // The dtype of the view and the sign of 0 do not matter.
    std::vector<float> narrow(x.begin(), x.end()), narrow_c(c.begin(), c.end()), lp(kRows);
    std::replace(narrow.begin(), narrow.end(), 0.0f, -0.0f);
    s.log_prob(rows(narrow, 3), rows(narrow_c, 1), column(lp));
    EXPECT_TRUE(same_bits(Values(lp.begin(), lp.end()), want));
  }
  Session s = session(one), other = session(one, 1, 1);
  const Values want = score(s, x, 3, c, 1);
  EXPECT_FALSE(same_bits(score(other, x, 3, c, 1), want)) << "the seed matters";
  Values nudged = c;
  for (double& v : nudged) v += 1e-3;
  const Values near = score(s, x, 3, nudged, 1);
  int64_t changed = 0;
  for (size_t r = 0; r < kRows; ++r) changed += std::abs(near[r] - want[r]) > 1e-2;
  EXPECT_GT(changed, kRows / 2) << "noise depends on the context";
}

TEST_F(Noise, ForwardTraceAndLogProbDrawTheSame) {
  Executor one(1);
  Session s = session(one, 3);
  std::vector<double> z(x.size()), log_det(kRows), back(x.size()), states(6 * x.size());
  s.map(false, rows(x, 3), rows(c, 1), rows(z, 3), column(log_det));
  trace(s, false, rows(x, 3), rows(c, 1), contiguous_view(states.data(), DType::f64, {6, kRows, 3}));
  EXPECT_TRUE(std::equal(z.begin(), z.end(), states.end() - static_cast<int64_t>(z.size())));
  s.map(true, rows(z, 3), rows(c, 1), rows(back, 3), View{});
  for (size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(back[k], x[k], k % 3 == 1 ? 1e-4 : 0);
  Session once = session(one, 1);
  const Values lp = score(once, x, 3, c, 1);
  for (size_t r = 0; r < kRows; ++r) {
    double want = log_det[r] - 1.5 * std::log(2 * M_PI);
    for (size_t j = 0; j < 3; ++j) want -= 0.5 * z[3 * r + j] * z[3 * r + j];
    EXPECT_NEAR(lp[r], want, 1e-4 * std::max(1.0, std::abs(want)));
  }
}

TEST_F(Noise, SamplesAreScoredAsTheyAre) {
  Executor one(1);
  Session s = session(one, 4);
  Values drawn(x.size()), lp(kRows);
  s.sample({9, 0}, rows(c, 1), rows(drawn, 3), column(lp));
  for (size_t k = 0; k < drawn.size(); ++k)
    if (k % 3 != 1) {
      EXPECT_EQ(drawn[k], std::floor(drawn[k]));
    }
  EXPECT_TRUE(same_bits(score(s, drawn, 3, c, 1), lp));
}

TEST_F(Noise, AllocatesNothingAfterConstruction) {
  CountingAllocator counting;
  Executor two(2);
  Session s(counting.hook(), two, f.model(), {NonFinite::error, 3, 0});
  const int64_t before = counting.calls;
  Values lp(kRows), z(x.size()), states(6 * x.size());
  s.log_prob(rows(x, 3), rows(c, 1), column(lp));
  s.map(false, rows(x, 3), rows(c, 1), rows(z, 3), View{});
  trace(s, false, rows(x, 3), rows(c, 1), contiguous_view(states.data(), DType::f64, {6, kRows, 3}));
  s.sample({9, 0}, rows(c, 1), rows(z, 3), column(lp));
  x[3 * 17] = 0.5;  // and an error report
  EXPECT_ERROR(s.log_prob(rows(x, 3), rows(c, 1), column(lp)), Code::numeric,
               "row 17 is not finite; first at spec.layers[1] (dequantize)");
  EXPECT_EQ(counting.calls, before);
}

// One column whose cells have a known probability: x + u under a logistic distribution of scale s.
TEST(NoiseBound, GrowsWithTheDrawsTowardTheProbability) {
  constexpr double kScale = 0.4;
  FlowCase<double> f(parse_spec(R"({"event": [1], "dtype": "float64", "base": "logistic", "layers": [
      {"type": "dequantize"}, {"type": "elementwise_affine"}]})"));
  for (size_t i = 0; i < f.model().params().slots().size(); ++i)
    if (f.model().params().slots()[i].name == "layers.1.log_scale") *f.param(i) = -std::log(kScale);
  // Rows with equal values get equal draws, so many values are used, most of them in the tails.
  Values x;
  for (int64_t r = -40; r < 40; ++r) x.push_back(static_cast<double>(r) / 8);
  for (double& v : x) v = std::round(v);
  Executor one(1);
  const auto mean_at = [&](int64_t samples) {
    double sum = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
      Session s(system_allocator(), one, f.model(), {NonFinite::propagate, samples, seed});
      for (const double v : score(s, x, 1)) sum += v;
    }
    return sum / 40 / static_cast<double>(x.size());
  };
  const auto cdf = [](double v) { return 1 / (1 + std::exp(-v / kScale)); };
  double exact = 0;
  for (const double v : x) exact += std::log(v < 0 ? cdf(v + 1) - cdf(v) : cdf(-v) - cdf(-v - 1));
  exact /= static_cast<double>(x.size());
  const double bounds[] = {mean_at(1), mean_at(4), mean_at(32), mean_at(256)};
  EXPECT_LT(bounds[0], bounds[1] - 0.05);
  EXPECT_LT(bounds[1], bounds[2] - 0.02);
  EXPECT_LT(bounds[2], bounds[3]);
  EXPECT_LT(bounds[3], exact + 0.01);
  EXPECT_NEAR(bounds[3], exact, 0.01);
}

TEST(NoiseBound, IsExactWhereTheDensityIsFlat) {
  // (0, 1) in k cells under the uniform density: every draw gives P = 1/k, whatever the number of draws.
  FlowModel m(system_allocator(),
              parse_spec(R"({"event": [2], "dtype": "float64", "base": {"type": "uniform"}, "layers": [
      {"type": "dequantize", "levels": 256, "step": 0.00392156862745098}]})"),
              0);
  EXPECT_FALSE(m.exact());
  Executor one(1);
  Values x;
  for (int i = 0; i < 256; ++i)
    x.insert(x.end(), {i / 255.0, static_cast<double>(static_cast<float>((255 - i) / 255.0))});
  for (const int64_t samples : {1, 3}) {
    Session s(system_allocator(), one, m, {NonFinite::propagate, samples, 0});
    for (const double v : score(s, x, 2)) EXPECT_NEAR(v, -2 * std::log(256), 1e-12);
    Values z(x.size()), back(x.size());
    s.map(false, rows(x, 2), View{}, rows(z, 2), View{});
    EXPECT_TRUE(std::all_of(z.begin(), z.end(), [](double v) { return v > 0 && v < 1; }));
    s.map(true, rows(z, 2), View{}, rows(back, 2), View{});
    for (size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(back[k], x[k], 1e-7);
    // Values outside and values that are not levels have density 0; NaN stays NaN.
    Values bad = {-1 / 255.0, 0, 256 / 255.0, 0, 0.5 / 255, 0, kInfinity, 0, -kInfinity, 0, NAN, 0, 1.004 / 255, 0};
    const Values lp = score(s, bad, 2);
    for (size_t r = 0; r < 5; ++r) EXPECT_EQ(lp[r], -kInfinity) << r;
    EXPECT_FALSE(std::isfinite(lp[5]));
    EXPECT_NEAR(lp[6], -2 * std::log(256), 1e-12) << "within a hundredth of a step";
  }
}

// The way back has the opposite log-determinant, also where cells are not of size 1: 2 log 8 of two columns, and none of
// the column that passes.
TEST(NoiseBound, LogDetsAreOpposite) {
  FlowModel m(system_allocator(), parse_spec(R"({"event": [3], "dtype": "float64", "layers": [
      {"type": "dequantize", "levels": 8, "columns": [2, 0]}]})"),
              0);
  Executor one(1);
  Session s(system_allocator(), one, m, NonFinite::propagate);
  Values x = {0, 1.5, 7, 3, -2, 4}, z(6), back(6), there(2), here(2);
  s.map(false, rows(x, 3), View{}, rows(z, 3), column(there));
  s.map(true, rows(z, 3), View{}, rows(back, 3), column(here));
  EXPECT_EQ(back, x);
  for (size_t r = 0; r < 2; ++r) {
    EXPECT_NEAR(there[r], -2 * std::log(8), 1e-12);
    EXPECT_NEAR(here[r], 2 * std::log(8), 1e-12);
    for (const size_t j : {0, 2}) {
      EXPECT_GT(z[3 * r + j], x[3 * r + j] / 8);
      EXPECT_LT(z[3 * r + j], (x[3 * r + j] + 1) / 8);
    }
    EXPECT_EQ(z[3 * r + 1], x[3 * r + 1]);
  }
}

TEST(NoiseBound, OtherNumbersHaveNoDensity) {
  FlowModel m(system_allocator(), parse_spec(R"({"event": [1], "layers": [{"type": "dequantize", "step": 0.5}]})"), 0);
  Executor one(1);
  Session s(system_allocator(), one, m, NonFinite::propagate);
  const Values lp = score(s, {0.5, 0.25, 0.6, kInfinity, -kInfinity, NAN, 1e30}, 1);
  EXPECT_TRUE(std::isfinite(lp[0]));
  for (size_t r = 1; r < 5; ++r) EXPECT_EQ(lp[r], -kInfinity) << r;
  EXPECT_TRUE(std::isnan(lp[5]));
  EXPECT_EQ(lp[6], -kInfinity) << "a level where the density of the base is 0";
}

TEST(NoiseBound, IntegersOfAnySizeComeBack) {
  for (const char* dtype : {"float32", "float64"}) {
    FlowModel m(
        system_allocator(),
        parse_spec(std::string(R"({"event": [1], "layers": [{"type": "dequantize"}], "dtype": ")") + dtype + "\"}"), 0);
    Executor one(1);
    Session s(system_allocator(), one, m, NonFinite::propagate);
    Values x;
    for (const double v : {0.0, 1.0, 7.0, 1000.0, 4194303.0, 8388607.0, 8388608.0, 16777216.0, 33554432.0})
      x.insert(x.end(), {v, -v});
    Values z(x.size()), back(x.size());
    s.map(false, rows(x, 1), View{}, rows(z, 1), View{});
    s.map(true, rows(z, 1), View{}, rows(back, 1), View{});
    EXPECT_EQ(back, x) << dtype;
  }
}

TEST(NoiseSpec, RefusesWhatHasNoMeaning) {
  const auto refused = [](const char* spec, const char* says) {
    EXPECT_ERROR(FlowModel(system_allocator(), parse_spec(spec), 0), Code::spec, says);
  };
  refused(R"({"event": [2], "layers": [{"type": "dequantize", "invert": true}]})",
          "spec.layers[0].invert: dequantize cannot be inverted");
  refused(R"({"event": [2], "invert": true, "layers": [{"layers": [{"type": "dequantize"}]}]})",
          "spec.layers[0].layers[0].invert: dequantize cannot be inverted");
  refused(R"({"event": [2], "layers": [{"type": "dequantize", "columns": [2]}]})", "spec.layers[0].columns: column 2");
  refused(R"({"event": [2], "layers": [{"type": "dequantize", "columns": [1, 1]}]})",
          "spec.layers[0].columns: column 1");
  refused(R"({"event": [2], "layers": [{"type": "dequantize", "step": 0}]})", "spec.layers[0].step");
}

TEST(NoiseBound, LevelsCanBeMerged) {
  const char* spec = R"({"event": [2], "dtype": "float64", "base": "uniform", "layers": [
      {"type": "dequantize", "levels": 12, "merge": 4, "step": 0.5}]})";
  FlowModel m(system_allocator(), parse_spec(spec), 0);
  Executor one(1);
  Session s(system_allocator(), one, m, NonFinite::propagate);
  Values x, want;
  for (int i = 0; i < 12; ++i) {
    x.insert(x.end(), {0.5 * i, 0.5 * (11 - i)});
    want.insert(want.end(), {0.5 * (i / 4 * 4), 0.5 * ((11 - i) / 4 * 4)});
  }
  Values z(x.size()), back(x.size()), there(12), here(12);
  s.map(false, rows(x, 2), View{}, rows(z, 2), column(there));
  s.map(true, rows(z, 2), View{}, rows(back, 2), column(here));
  for (size_t k = 0; k < x.size(); ++k) EXPECT_EQ(std::floor(3 * z[k]), want[k] / 2) << k;
  EXPECT_EQ(back, want);
  for (size_t r = 0; r < 12; ++r) {
    EXPECT_NEAR(there[r], -2 * std::log(3), 1e-12);
    EXPECT_NEAR(here[r], 2 * std::log(3), 1e-12);
  }
  EXPECT_EQ(score(s, {6, 0}, 2)[0], -kInfinity) << "the levels end at 5.5";
  EXPECT_EQ(score(s, {0.25, 0}, 2)[0], -kInfinity);
  const auto refused = [](const char* layer, const char* says) {
    EXPECT_ERROR(
        FlowModel(system_allocator(),
                  parse_spec(R"({"event": [2], "layers": [{"type": "dequantize", )" + std::string(layer) + "}]}"), 0),
        Code::spec, says);
  };
  refused(R"("levels": 8, "merge": 3)", "spec.layers[0].merge: 3 does not divide 8 levels");
  refused(R"("merge": 2)", "spec.layers[0].merge: 2 does not divide an unlimited number of levels");
}

// With nets that are linear in the levels the noise's flow is known: y = (logit(u) + t) s and v = a + (1 - 2 a) sigmoid(y),
// column by column. So u, and with it log |dv/du|, follows from z.
TEST(VariationalNoise, LogDetIsThatOfItsFlow) {
  FlowCase<double> f(parse_spec(R"({"event": [1, 2, 1], "dtype": "float64", "layers": [{"type":
      "variational_dequantize", "levels": 3, "step": 2, "couplings": 2, "scale": "exp",
      "net": {"type": "mlp", "hidden": []}}]})"));
  f.fill_params(0);
  const double shift[] = {0.4, -0.7}, raw[] = {-0.5, 0.3};
  for (size_t k = 0; k < 2; ++k) {
    const auto tensor = [&](const std::string& name) {
      return f.param(static_cast<size_t>(
          f.model().params().find("layers.0.couplings." + std::to_string(k) + ".net.output." + name)));
    };
    double* bias = tensor("bias");
    bias[0] = shift[k];
    bias[1] = raw[k];
    // [inputs, outputs]: the noise that passes, then the levels, from -1 to 1.
    double* weight = tensor("weight");
    weight[1 * 2] = 0.5;
    weight[2 * 2] = -0.25;
  }
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const double a = std::ldexp(3.0, -51), w = 1 - 2 * a;
  Values x;
  for (int i = 0; i < 90; ++i) x.insert(x.end(), {2.0 * (i / 3 % 3), 2.0 * (i % 3)});
  const MappedValues z = f.map(false, {90, x, {}});
  for (size_t r = 0; r < 90; ++r) {
    double want = -2 * std::log(3);
    for (size_t j = 0; j < 2; ++j) {
      const double p = (3 * z.y[2 * r + j] - x[2 * r + j] / 2 - a) / w, y = std::log(p / (1 - p)), s = std::exp(raw[j]);
      const double t = shift[j] + 0.5 * (x[2 * r] / 2 - 1) - 0.25 * (x[2 * r + 1] / 2 - 1), u = sigmoid(y / s - t);
      want += std::log(w * p * (1 - p) * s / (u * (1 - u)));
    }
    EXPECT_NEAR(z.log_det[r], want, 1e-6) << r;
  }
  EXPECT_EQ(f.map(true, {90, z.y, {}}).y, x);
  const Values bad = f.log_prob({5, {1, 0, 6, 0, -2, 0, kInfinity, 0, NAN, 0}, {}});
  for (size_t r = 0; r < 4; ++r) EXPECT_EQ(bad[r], -kInfinity) << r;
  EXPECT_TRUE(std::isnan(bad[4]));
}

// exp(log_det) of a row averages to the volume of its cells over the draws, whatever the noise's flow: an integral over
// each cell. The couplings stretch, so that the average has a finite variance.
TEST(VariationalNoise, AveragesToTheVolumeOfTheCells) {
  FlowCase<double> f(parse_spec(R"({"event": [1, 2, 1], "dtype": "float64", "layers": [{"type":
      "variational_dequantize", "levels": 3, "couplings": 2, "scale": "exp", "net": {"type": "mlp", "hidden": []}}]})"));
  f.randomize(4, 0.15);
  const int64_t n = 100000;
  for (const double level : {0.0, 2.0}) {
    Values x(static_cast<size_t>(2 * n), level);
    double sum = 0, squares = 0;
    for (const double v : f.map(false, {n, x, {}}).log_det) {
      const double weight = 9 * std::exp(v);
      sum += weight;
      squares += weight * weight;
    }
    const double mean = sum / static_cast<double>(n), variance = squares / static_cast<double>(n) - mean * mean;
    EXPECT_GT(variance, 1e-3) << "every row drew the same noise, or the noise is uniform";
    EXPECT_NEAR(mean, 1, 4 * std::sqrt(variance / static_cast<double>(n)));
  }
}

// The noise of a new layer is uniform; levels of 8 bits come back exactly in float32, whatever the noise.
TEST(VariationalNoise, StaysInItsCells) {
  for (const double spread : {0.0, 0.5, 3.0}) {
    FlowCase<float> f(parse_spec(R"({"event": [4, 4, 2], "layers": [{"type": "variational_dequantize",
                                     "net": {"type": "conv", "hidden": [6]}}]})"));
    if (spread > 0) f.randomize(2, spread);
    Values x;
    for (int i = 0; i < 32 * 64; ++i) x.push_back(i * 37 % 256);
    const MappedValues z = f.map(false, {64, x, {}});
    EXPECT_EQ(f.map(true, {64, z.y, {}}).y, x) << spread;
    if (spread > 0) continue;
    double sum = 0, squares = 0;
    for (size_t k = 0; k < x.size(); ++k) {
      const double v = 256 * z.y[k] - x[k];
      sum += v;
      squares += v * v;
    }
    EXPECT_NEAR(sum / static_cast<double>(x.size()), 0.5, 0.03);
    EXPECT_NEAR(squares / static_cast<double>(x.size()), 1.0 / 3, 0.03);
    for (const double v : z.log_det) EXPECT_NEAR(v, -32 * std::log(256), 0.05);
  }
}

}  // namespace
}  // namespace libnf::test
