// Every likelihood: gradients, draws whose mean is the mean, and densities that sum to 1 where they are probabilities;
// rows outside the support; golden values.
#include "src/likelihood/likelihood.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/op/ops.h"
#include "src/io/json.h"
#include "src/model/read_fields.h"
#include "src/part/part_config.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

constexpr int64_t kColumns = 3;

// A likelihood with its parameters, in float64.
struct Case {
  Case(const char* name, const std::string& json, int64_t d = kColumns) : columns(d) {
    const LikelihoodKind& kind = *Registry<LikelihoodKind>::find(name);
    OneOf<LikelihoodKind> choice(name);
    const Json fields = parse_json(json, "spec", Code::spec, 1 << 16, 8);
    ReadFields read(fields, "spec");
    choice.config().fields(read);
    read.finish({});
    likelihood = kind.build(choice.config(), Declare(infos, "", d, 0, 0));
    for (const ParamInfo& p : infos) values.push_back(Values(static_cast<size_t>(p.shape.count()), p.init.a));
  }
  int64_t outputs() const { return likelihood->outputs() * columns; }
  // Nodes of the parameters, as leaves of the tape.
  std::vector<Node> bind(Tape& t, bool trained) {
    std::vector<Node> nodes;
    for (size_t i = 0; i < infos.size(); ++i)
      nodes.push_back(*t.input(contiguous_view(values[i].data(), DType::f64, infos[i].shape), trained));
    return nodes;
  }
  Values log_prob(const Values& x, const Values& h) {
    const auto n = static_cast<int64_t>(x.size()) / columns;
    Tape t(system_allocator(), DType::f64);
    t.recording = false;
    std::vector<Node> params = bind(t, false);
    Var lp = likelihood->log_prob({t, params.data()}, leaf(t, x, columns, false), leaf(t, h, outputs(), false));
    return Values(lp->out.as<double>(), lp->out.as<double>() + n);
  }
  static Var leaf(Tape& t, const Values& v, int64_t cols, bool trained) {
    return t.input(
        contiguous_view(const_cast<double*>(v.data()), DType::f64, {static_cast<int64_t>(v.size()) / cols, cols}),
        trained);
  }
  std::vector<ParamInfo> infos;
  std::vector<Values> values;
  std::unique_ptr<Likelihood> likelihood;
  int64_t columns;
};

struct Listed {
  const char *name, *json;
  double step;  // of levels; 0: real numbers
  int levels;
  bool counts = false;  // there are more of them
};
constexpr Listed kAll[] = {
    {"bernoulli", "{}", 1, 2},
    {"gaussian", R"({"scale_from": "fixed", "scale": 0.5})", 0, 0},
    {"gaussian", "{}", 0, 0},
    {"gaussian", R"({"scale_from": "decoder"})", 0, 0},
    {"laplace", R"({"scale_from": "decoder", "scale": 2})", 0, 0},
    {"gaussian", R"({"scale_from": "decoder", "scale_bounds": [0.5, 3]})", 0, 0},
    {"laplace", R"({"scale_bounds": [0.1, 1.5]})", 0, 0},
    {"laplace", R"({"scale_from": "learned"})", 0, 0},
    {"discretized_logistic", R"({"levels": 5, "step": 0.5})", 0.5, 5},
    {"discretized_logistic", R"({"levels": 4, "components": 3})", 1, 4},
    {"categorical", R"({"levels": 6, "step": 2})", 2, 6},
    {"negative_binomial", R"({"dispersion_from": "fixed", "dispersion": 3})", 1, 60, true},
    {"negative_binomial", R"({"dispersion_from": "learned", "dispersion": 0.2})", 1, 60, true},
    {"negative_binomial", R"({"dispersion_from": "decoder", "dispersion": 1})", 1, 60, true},
};

TEST(Likelihood, ListIsComplete) {
  for (const LikelihoodKind* kind : Registry<LikelihoodKind>::all())
    EXPECT_TRUE(std::any_of(std::begin(kAll), std::end(kAll), [&](const Listed& l) {
      return l.name == std::string_view(kind->name);
    })) << kind->name;
}

TEST(Likelihood, GradientsAgainstDifferences) {
  std::mt19937_64 random(3);
  for (const Listed& l : kAll) {
    SCOPED_TRACE(std::string(l.name) + " " + l.json);
    Case c(l.name, l.json);
    constexpr int64_t n = 4;
    Values x = draw_normal(n * kColumns, random), h = draw_normal(n * c.outputs(), random);
    if (l.step > 0)
      for (double& v : x) v = l.step * static_cast<double>(random() % static_cast<uint64_t>(l.levels));
    Tape t(system_allocator(), DType::f64);
    std::vector<Node> params = c.bind(t, true);
    Var hv = Case::leaf(t, h, c.outputs(), true);
    Var lp = c.likelihood->log_prob({t, params.data()}, Case::leaf(t, x, kColumns, false), hv);
    Var total = sum(t, lp);
    *t.grad(*total).as<double>() = 1;
    t.backward();
    const auto loss = [&] {
      double s = 0;
      for (const double v : c.log_prob(x, h)) s += v;
      return s;
    };
    const auto check = [&](double& at, double slope) {
      const double was = at, step = 1e-5;
      at = was + step;
      const double up = loss();
      at = was - step;
      const double down = loss();
      at = was;
      EXPECT_NEAR(slope, (up - down) / (2 * step), 1e-6 * std::max(1.0, std::abs(slope)));
    };
    const double* g = t.grad_out(*hv).as<double>();
    for (size_t i = 0; i < h.size(); ++i) check(h[i], g[i]);
    for (size_t p = 0; p < params.size(); ++p) {
      if (!c.infos[p].trainable) continue;
      const double* gp = t.grad_out(params[p]).as<double>();
      for (size_t i = 0; i < c.values[p].size(); ++i) check(c.values[p][i], gp[i]);
    }
  }
}

// Whatever the decoder says, deviations stay within their bounds; an initial one is what it is called.
TEST(Likelihood, ScalesStayWithinTheirBounds) {
  constexpr double kLow = 0.25, kHigh = 4, kStart = 0.5;
  Case c("gaussian", R"({"scale_from": "decoder", "scale": 0.5, "scale_bounds": [0.25, 4]})", 1);
  // The density at the mean shows the deviation.
  const auto deviation = [&](double raw) {
    return std::exp(-c.log_prob({0}, {0, raw})[0]) / std::sqrt(2 * std::acos(-1.0));
  };
  EXPECT_NEAR(deviation(0), kStart, 1e-12);
  EXPECT_NEAR(deviation(-1e6), kLow, 1e-12);
  EXPECT_NEAR(deviation(1e6), kHigh, 1e-12);
  double last = kLow;
  for (double raw = -3; raw < 3; raw += 0.25) {
    EXPECT_GT(deviation(raw), last);
    last = deviation(raw);
  }
  EXPECT_ERROR(Case("gaussian", R"({"scale_bounds": [1]})"), Code::spec, "scale_bounds: expected two numbers");
  EXPECT_ERROR(Case("gaussian", R"({"scale_bounds": [2, 0.5]})"), Code::spec, "scale_bounds: expected two numbers");
  EXPECT_ERROR(Case("laplace", R"({"scale": 5, "scale_bounds": [0.5, 2]})"), Code::spec, "scale: the initial scale");
  EXPECT_ERROR(Case("laplace", R"({"scale_from": "fixed", "scale_bounds": [0.5, 2]})"), Code::spec, "has no effect");
}

// The probabilities of all levels of a column sum to 1, also where the decoder is sure.
TEST(Likelihood, ProbabilitiesSumToOne) {
  std::mt19937_64 random(4);
  for (const Listed& l : kAll) {
    if (l.step == 0 || l.counts) continue;
    SCOPED_TRACE(std::string(l.name) + " " + l.json);
    Case c(l.name, l.json, 1);
    for (const double size : {0.1, 1.0, 5.0}) {
      Values h = draw_normal(c.outputs(), random);
      for (double& v : h) v *= size;
      double sum = 0;
      for (int i = 0; i < l.levels; ++i) sum += std::exp(c.log_prob({l.step * i}, h)[0]);
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  }
}

// Means and frequencies of draws, within five standard errors.
TEST(Likelihood, DrawsFollowTheDensity) {
  std::mt19937_64 random(5);
  constexpr int64_t n = 40000;
  for (const Listed& l : kAll) {
    SCOPED_TRACE(std::string(l.name) + " " + l.json);
    Case c(l.name, l.json, 1);
    const Values one = draw_normal(c.outputs(), random);
    Values h;
    for (int64_t r = 0; r < n; ++r) h.insert(h.end(), one.begin(), one.end());
    Tape t(system_allocator(), DType::f64);
    t.recording = false;
    t.random.seed = 9;
    std::vector<Node> params = c.bind(t, false);
    const Scope s{t, params.data()};
    Var hv = Case::leaf(t, h, c.outputs(), false);
    const double* x = c.likelihood->sample(s, hv)->out.as<double>();
    if (l.step > 0) {
      for (int i = 0; i < l.levels; ++i) {
        const double p = std::exp(c.log_prob({l.step * i}, one)[0]);
        const auto hits = std::count_if(x, x + n, [&](double v) { return std::abs(v - l.step * i) < 1e-9; });
        EXPECT_NEAR(static_cast<double>(hits) / n, p, 5 * std::sqrt(p * (1 - p) / n) + 1e-12) << "level " << i;
      }
      continue;
    }
    double mean = 0, entropy = 0, square = 0;
    const Values lp = c.log_prob(Values(x, x + n), h);
    for (int64_t r = 0; r < n; ++r) {
      mean += x[r] / n;
      square += x[r] * x[r] / n;
      entropy -= lp[static_cast<size_t>(r)] / n;
    }
    const double want = *c.likelihood->mean(s, hv)->out.as<double>(), std = std::sqrt(square - mean * mean);
    EXPECT_NEAR(mean, want, 5 * std / std::sqrt(n));
    // The entropy is log(std sqrt(2 pi e)) of a normal distribution, and log(std sqrt(2) e) of a Laplace distribution.
    const double factor = l.name == std::string_view("laplace") ? std::sqrt(2.0) * std::exp(1.0)
                                                                : std::sqrt(2 * std::acos(-1.0) * std::exp(1.0));
    EXPECT_NEAR(entropy, std::log(std * factor), 0.05);
  }
}

TEST(Likelihood, RowsOutsideTheSupport) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const Listed& l : kAll) {
    if (l.step == 0) continue;
    SCOPED_TRACE(std::string(l.name) + " " + l.json);
    Case c(l.name, l.json, 2);
    const Values h(static_cast<size_t>(c.outputs()), 0.3);
    const double top = l.step * (l.levels - 1);
    for (const double bad : {-l.step, l.counts ? 1e17 : top + l.step, 1e300}) {
      EXPECT_EQ(c.log_prob({0, bad}, h)[0], -infinity) << bad;
      EXPECT_EQ(c.log_prob({bad, 0}, h)[0], -infinity) << bad;
    }
    if (l.name != std::string_view("bernoulli")) {
      EXPECT_EQ(c.log_prob({0.5 * l.step, 0}, h)[0], -infinity);
    }
    EXPECT_TRUE(std::isnan(c.log_prob({0, nan}, h)[0]));
    EXPECT_TRUE(std::isfinite(c.log_prob({0, top}, h)[0]));
  }
}

// The density of the highest and lowest level, where a difference of sigmoids would be 0 in float64.
TEST(Likelihood, FarCellsOfALogistic) {
  Case c("discretized_logistic", R"({"levels": 256})", 1);
  const double l = -8, at_zero = c.log_prob({0}, {0.5, l + 2.0794415416798357})[0];  // mean 1, scale e^-8
  EXPECT_NEAR(at_zero, (1.0 / 256 - 1) * std::exp(-l), 1e-9 * std::exp(-l));
}

// Means from 0.01 to 3,000, with few and with many counts of each: probabilities sum to 1, the mean and the variance of the
// probabilities and of draws are m and m + m^2 / r.
TEST(Likelihood, NegativeBinomialMoments) {
  for (const double m : {0.01, 0.7, 8.0, 300.0, 3000.0})
    for (const double r : {0.3, 2.0, 50.0, 1e8}) {
      SCOPED_TRACE(testing::Message() << "mean " << m << ", dispersion " << r);
      Case c("negative_binomial", R"({"dispersion_from": "decoder", "dispersion": 1})", 1);
      const double variance = m + m * m / r, deviation = std::sqrt(variance);
      const auto top = static_cast<int>(m + 60 * deviation + 60);
      Values x, h;
      for (int k = 0; k <= top; ++k) {
        x.push_back(k);
        h.insert(h.end(), {std::log(m), std::log(r)});
      }
      const Values lp = c.log_prob(x, h);
      double sum = 0, mean = 0, square = 0, fourth = 0;
      for (int k = 0; k <= top; ++k) {
        const double p = std::exp(lp[static_cast<size_t>(k)]), away = k - m;
        sum += p;
        mean += p * k;
        square += p * away * away;
        fourth += p * away * away * away * away;
      }
      EXPECT_NEAR(sum, 1, 1e-10);
      EXPECT_NEAR(mean, m, 1e-8 * m);
      EXPECT_NEAR(square, variance, 1e-6 * variance);

      constexpr int n = 20000;
      Values many;
      for (int k = 0; k < n; ++k) many.insert(many.end(), {std::log(m), std::log(r)});
      Tape t(system_allocator(), DType::f64);
      t.recording = false;
      t.random.seed = 4;
      std::vector<Node> params = c.bind(t, false);
      const double* drawn = c.likelihood->sample({t, params.data()}, Case::leaf(t, many, 2, false))->out.as<double>();
      double drawn_mean = 0, drawn_square = 0;
      for (int k = 0; k < n; ++k) {
        drawn_mean += drawn[k] / n;
        drawn_square += (drawn[k] - m) * (drawn[k] - m) / n;
      }
      EXPECT_NEAR(drawn_mean, m, 5 * deviation / std::sqrt(n));
      EXPECT_NEAR(drawn_square, variance, 6 * std::sqrt((fourth - variance * variance) / n));
    }
}

TEST(Likelihood, GoldenBernoulli) {
  const Golden g = Golden::load("10_bernoulli_loglik");
  Case c("bernoulli", "{}", g["x"].cols());
  const Values& logits = g["logits"].data;
  for (const auto& [x, want] : {std::pair("x", "log_lik"), {"x_real", "log_lik_x_real"}}) {
    const Values lp = c.log_prob(g[x].data, logits);
    for (size_t r = 0; r < lp.size(); ++r) EXPECT_NEAR(lp[r], g[want].data[r], 1e-9 * std::abs(lp[r])) << x;
  }
}

TEST(Likelihood, GoldenGaussian) {
  const Golden g = Golden::load("10_gaussian_loglik");
  const int64_t d = g["x"].cols(), n = g["x"].rows();
  Case c("gaussian", R"({"scale_from": "decoder"})", d);
  Values h;
  for (int64_t r = 0; r < n; ++r) {
    for (const double m : g["mean"].row(r)) h.push_back(m);
    for (const double v : g["log_var"].row(r)) h.push_back(v / 2);
  }
  const Values lp = c.log_prob(g["x"].data, h);
  for (size_t r = 0; r < lp.size(); ++r) EXPECT_NEAR(lp[r], g["log_lik"].data[r], 1e-9 * std::abs(lp[r]));
}

}  // namespace
}  // namespace libnf::test
